//! What servers send again is counted by port, whatever ports there are.

use observer_common::{limits::RETRANSMIT_PORTS, port::OTHERS};
use programs::{Connection, Kernel};

const REQUEST: &[u8] = b"GET /boot HTTP/1.1\r\n\r\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n";

/// A connection whose answer has begun.
fn answering(kernel: &mut Kernel, port: u16, number: u16) -> Connection {
    let mut connection = Connection::new(port, number);
    connection.ask(kernel, 5, REQUEST);
    connection.answer(kernel, 6, HEAD);
    connection
}

#[test]
fn what_was_sent_before_is_counted_in_segments() {
    let mut kernel = Kernel::new(&[80, 8080, 443], &[]);
    let mut first = answering(&mut kernel, 80, 0);
    let mut second = answering(&mut kernel, 8080, 1);
    assert_eq!(kernel.retransmits(80), None, "nothing yet");
    for (segments, counted) in [(0, 1), (1, 2), (3, 5)] {
        first.answer_again(&mut kernel, 7, HEAD, segments);
        assert_eq!(kernel.retransmits(80), Some(counted), "{segments}");
    }
    // Of what is new nothing is, though it comes behind it.
    first.answer(&mut kernel, 8, &[0; 3_000]);
    first.end(&mut kernel, 9);
    assert_eq!(kernel.retransmits(80), Some(5));
    first.end(&mut kernel, 10);
    assert_eq!(kernel.retransmits(80), Some(6), "a FIN");
    first.answer_again(&mut kernel, 11, &[0; 1_000], 1);
    assert_eq!(kernel.retransmits(80), Some(7), "behind its FIN");
    // A server that keeps the connection says so by an ACK, which is none.
    second.answer(&mut kernel, 8, b"");
    second.answer(&mut kernel, 9, b"");
    assert_eq!(kernel.retransmits(8080), None);
}

#[test]
fn ports_that_find_no_room_are_counted_together() {
    let room = u16::try_from(RETRANSMIT_PORTS).expect("small");
    let ports: Vec<u16> = (1..room + 10).collect();
    let mut kernel = Kernel::new(&ports, &[]);
    for port in &ports {
        answering(&mut kernel, *port, *port).answer_again(&mut kernel, 7, HEAD, 2);
    }
    let counted = ports.iter().filter_map(|port| kernel.retransmits(*port));
    assert_eq!(counted.sum::<u64>(), 2 * u64::from(RETRANSMIT_PORTS - 1));
    assert_eq!(kernel.retransmits(OTHERS), Some(2 * 10));
}
