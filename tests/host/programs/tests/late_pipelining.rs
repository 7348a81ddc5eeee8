//! A client that waited for each answer so far, and then does not, is followed on any turn.

use programs::{Connection, Kernel};

const PORT: u16 = 80;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nDate: now\r\n\r\n0123456789";

#[test]
fn requests_that_come_while_an_answer_is_under_way() {
    for waited in [0, 3, 8, 20] {
        let mut kernel = Kernel::new(&[PORT], &[]);
        let mut connection = Connection::new(PORT, 0);
        for _ in 0..waited {
            connection.ask(&mut kernel, 5, REQUEST);
            connection.answer(&mut kernel, 6, ANSWER);
        }
        let (first, rest) = ANSWER.split_at(ANSWER.len() - 4);
        connection.ask(&mut kernel, 5, REQUEST);
        connection.answer(&mut kernel, 6, first);
        connection.ask(&mut kernel, 7, &REQUEST.repeat(2));
        connection.answer(&mut kernel, 8, &[rest, ANSWER, ANSWER].concat());
        let conn = kernel.conn(connection.socket.cookie).expect("an entry");
        assert!(conn.is_pipelined(), "{waited}: {conn:?}");
        assert_eq!(conn.request.turn, waited + 3, "{waited}");
        assert_eq!(conn.response.turn, waited + 3, "{waited}");
        assert_eq!(conn.response.bytes, ANSWER.len() as u64, "{waited}");
    }
}
