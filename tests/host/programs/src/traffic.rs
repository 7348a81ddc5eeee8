//! Ordinary traffic, and what the programs tell of it.

use crate::{Connection, Kernel};

const PORT: u16 = 80;
const REQUEST: &[u8] = b"GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nConnection: keep-alive\r\n\
    User-Agent: iPXE/1.21.1+git20250501\r\nHost: 10.44.0.1\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\
    Date: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n\
    Last-Modified: Sat, 21 Nov 2026 11:00:00 GMT\r\nConnection: keep-alive\r\n\
    ETag: \"65f0a1b2-400\"\r\nAccept-Ranges: bytes\r\n\r\n#!ipxe\nautoboot\n";
/// Between two packets.
const STEP_NS: u64 = 1_000;

/// The event records of requests over connections that are kept, in turn: so many of each.
pub fn keep_alive(connections: u16, requests: u32) -> Vec<Vec<u8>> {
    let mut kernel = Kernel::new(&[PORT], &[]);
    let mut all: Vec<_> = (0..connections)
        .map(|number| Connection::new(PORT, number))
        .collect();
    let (mut records, mut now_ns) = (Vec::new(), 1);
    for _ in 0..requests {
        for connection in &mut all {
            connection.ask(&mut kernel, now_ns, REQUEST);
            connection.answer(&mut kernel, now_ns + STEP_NS, ANSWER);
            now_ns += 2 * STEP_NS;
        }
        records.extend(kernel.events());
    }
    records
}
