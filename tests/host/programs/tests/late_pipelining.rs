//! A client that waited for each answer so far, and then does not, is followed on any turn.

use programs::{
    Hook, Kernel, Socket, State,
    wire::{Segment, flags},
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nDate: now\r\n\r\n0123456789";

struct Connection {
    kernel: Kernel,
    socket: Socket,
    answered: u32,
}

impl Connection {
    fn pass(&mut self, hook: Hook, payload: &[u8]) {
        let asks = hook == Hook::Ingress;
        let (asked, answered) = (self.socket.next_seq, self.answered);
        let segment = Segment {
            hook,
            client: ([10, 0, 0, 2], 2000).into(),
            at_ns: 5,
            seq: if asks { asked } else { answered },
            ack: if asks { answered } else { asked },
            flags: flags::ACK,
            payload,
        };
        segment.pass(&mut self.kernel, &self.socket);
        let len = u32::try_from(payload.len()).expect("small");
        if asks {
            self.socket.next_seq += len;
            self.socket.bytes_received += u64::from(len);
        } else {
            self.answered += len;
        }
    }
}

#[test]
fn requests_that_come_while_an_answer_is_under_way() {
    for waited in [0, 3, 8, 20] {
        let mut connection = Connection {
            kernel: Kernel::new(&[80], &[]),
            socket: Socket {
                state: State::Connected,
                cookie: 7,
                address: [10, 0, 0, 1].into(),
                port: 80,
                next_seq: 1,
                bytes_received: 0,
            },
            answered: 1,
        };
        for _ in 0..waited {
            connection.pass(Hook::Ingress, REQUEST);
            connection.pass(Hook::Egress, ANSWER);
        }
        let (first, rest) = ANSWER.split_at(ANSWER.len() - 4);
        connection.pass(Hook::Ingress, REQUEST);
        connection.pass(Hook::Egress, first);
        connection.pass(Hook::Ingress, &REQUEST.repeat(2));
        connection.pass(Hook::Egress, &[rest, ANSWER, ANSWER].concat());
        let conn = connection.kernel.conn(7).expect("an entry");
        assert!(conn.is_pipelined(), "{waited}: {conn:?}");
        assert_eq!(conn.request.turn, waited + 3, "{waited}");
        assert_eq!(conn.response.turn, waited + 3, "{waited}");
        assert_eq!(conn.response.bytes, ANSWER.len() as u64, "{waited}");
    }
}
