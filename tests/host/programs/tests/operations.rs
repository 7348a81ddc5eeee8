//! What each kind of packet costs, in operations: a change of these numbers is meant, or a
//! regression. Nanoseconds are for `cargo xtask bench kernel`.

use observer_common::{conn::Tuple, tftp::Peer};
use programs::{Connection, Hook, Kernel, Operations, operations, wire::Datagram};

const PORT: u16 = 80;
const REQUEST: &[u8] = b"GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nConnection: keep-alive\r\n\
    User-Agent: iPXE/1.21.1+git20250501\r\nHost: 10.44.0.1\r\n\r\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\
    Date: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Type: application/octet-stream\r\n\
    Content-Length: 100000\r\nLast-Modified: Sat, 21 Nov 2026 11:00:00 GMT\r\n\
    Connection: keep-alive\r\nETag: \"65f0a1b2-400\"\r\nAccept-Ranges: bytes\r\n\r\n";

/// A connection, and what each thing takes.
struct Measured {
    kernel: Kernel,
    connection: Connection,
}

impl Measured {
    fn new() -> Self {
        Self::at(PORT)
    }

    fn at(port: u16) -> Self {
        Self {
            kernel: Kernel::new(&[PORT], &[69]),
            connection: Connection::new(port, 0),
        }
    }

    fn cost(&mut self, of: impl FnOnce(&mut Connection, &mut Kernel)) -> Operations {
        let before = operations();
        of(&mut self.connection, &mut self.kernel);
        operations() - before
    }

    fn ask(&mut self, payload: &[u8]) -> Operations {
        self.cost(|connection, kernel| connection.ask(kernel, 5, payload))
    }

    fn answer(&mut self, payload: &[u8]) -> Operations {
        self.cost(|connection, kernel| connection.answer(kernel, 5, payload))
    }

    fn take_up(&mut self) -> Operations {
        self.cost(|connection, kernel| {
            kernel.on_recv(connection.socket.cookie, tuple(), 1, 5);
        })
    }

    fn close(&mut self) -> Operations {
        self.cost(|connection, kernel| {
            kernel.on_destroy(connection.socket.cookie, tuple(), 5);
        })
    }
}

fn tuple() -> Tuple {
    Tuple {
        server_port: PORT,
        ..Tuple::default()
    }
}

/// A line for each.
fn check(costs: &[(&str, Operations)], expected: &str) {
    let told: Vec<String> = costs
        .iter()
        .map(|(what, cost)| format!("{what}: {cost}"))
        .collect();
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    assert_eq!(told, expected);
}

#[test]
fn a_request_and_its_answer() {
    let mut connection = Measured::new();
    let costs = [
        ("the first request", connection.ask(REQUEST)),
        ("the server takes it up", connection.take_up()),
        ("the first answer", connection.answer(HEAD)),
        ("more of it", connection.answer(&[0; 1448])),
        ("its acknowledgement", connection.ask(b"")),
        ("the rest of it", connection.answer(&[0; 98_552])),
        ("the last acknowledgement", connection.ask(b"")),
        ("the next request", connection.ask(REQUEST)),
        ("the next answer", connection.answer(HEAD)),
        ("the end", connection.close()),
    ];
    check(
        &costs,
        "the first request: 2 lookups, 1 updates, 5 loads, 258 bytes loaded, 1 clock reads, 1 records, 736 bytes of ring
         the server takes it up: 1 lookups, 1 clock reads
         the first answer: 1 lookups, 5 loads, 560 bytes loaded, 1 clock reads, 1 records, 736 bytes of ring
         more of it: 1 lookups, 1 clock reads
         its acknowledgement: 1 lookups
         the rest of it: 1 lookups, 1 clock reads
         the last acknowledgement: 1 lookups, 1 clock reads
         the next request: 1 lookups, 5 loads, 258 bytes loaded, 1 clock reads, 1 records, 736 bytes of ring
         the next answer: 1 lookups, 5 loads, 560 bytes loaded, 1 clock reads, 1 records, 736 bytes of ring
         the end: 1 lookups, 1 deletes, 1 clock reads, 1 records, 224 bytes of ring",
    );
}

#[test]
fn a_chunked_answer() {
    let mut connection = Measured::new();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let costs = [
        ("the request", connection.ask(REQUEST)),
        ("the head", connection.answer(head)),
        ("a chunk", connection.answer(b"5\r\nhello\r\n")),
        ("the last chunk", connection.answer(b"0\r\n\r\n")),
    ];
    check(
        &costs,
        "the request: 2 lookups, 1 updates, 5 loads, 258 bytes loaded, 1 clock reads, 1 records, 736 bytes of ring
         the head: 3 lookups, 1 updates, 6 loads, 165 bytes loaded, 1 clock reads, 48 steps, 1 records, 736 bytes of ring
         a chunk: 2 lookups, 1 loads, 10 bytes loaded, 1 clock reads, 5 steps
         the last chunk: 2 lookups, 1 deletes, 1 loads, 5 bytes loaded, 1 clock reads, 5 steps",
    );
}

#[test]
fn requests_that_do_not_wait() {
    let mut connection = Measured::new();
    let costs = [("three requests", connection.ask(&REQUEST.repeat(3)))];
    check(
        &costs,
        "three requests: 5 lookups, 2 updates, 14 loads, 889 bytes loaded, 2 clock reads, 124 steps, 3 records, 2208 bytes of ring",
    );
}

#[test]
fn what_is_not_watched() {
    let mut connection = Measured::at(81);
    let costs = [
        ("a segment that arrives", connection.ask(REQUEST)),
        ("a segment that leaves", connection.answer(HEAD)),
    ];
    check(
        &costs,
        "a segment that arrives: nothing
         a segment that leaves: nothing",
    );
}

#[test]
fn a_tftp_transfer() {
    let mut kernel = Kernel::new(&[], &[69]);
    let mut pass = |hook, local_port, payload: &[u8]| {
        let datagram = Datagram {
            hook,
            peer: Peer {
                port: 2070,
                ..Peer::default()
            },
            local_port,
            at_ns: 5,
            len: u32::try_from(payload.len()).expect("short"),
            payload,
        };
        let before = operations();
        datagram.pass(&mut kernel);
        operations() - before
    };
    let block = |number: u8| [&[0, 3, 0, number][..], &[0; 512]].concat();
    let costs = [
        (
            "the request",
            pass(Hook::Ingress, 69, b"\0\x01vmlinuz\0octet\0"),
        ),
        ("the first block", pass(Hook::Egress, 40_000, &block(1))),
        (
            "its acknowledgement",
            pass(Hook::Ingress, 40_000, b"\0\x04\0\x01"),
        ),
        ("the next block", pass(Hook::Egress, 40_000, &block(2))),
        (
            "its acknowledgement",
            pass(Hook::Ingress, 40_000, b"\0\x04\0\x02"),
        ),
    ];
    check(
        &costs,
        "the request: 2 lookups, 1 updates, 2 loads, 32 bytes loaded, 1 clock reads, 1 records, 720 bytes of ring
         the first block: 1 lookups, 1 loads, 4 bytes loaded, 1 clock reads, 1 records, 720 bytes of ring
         its acknowledgement: 1 lookups, 1 clock reads
         the next block: 1 lookups, 1 clock reads
         its acknowledgement: 1 lookups, 1 clock reads",
    );
}
