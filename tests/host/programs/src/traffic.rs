//! Ordinary traffic, and what the programs tell of it.

use crate::{
    Hook, Kernel, Socket, State,
    wire::{Segment, flags},
};

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
    let (mut records, mut now_ns) = (Vec::new(), 1);
    let lens = [REQUEST, ANSWER].map(|text| u32::try_from(text.len()).unwrap_or(u32::MAX));
    for number in 0..requests {
        for connection in 0..connections {
            let (asked, answered) = (1 + number * lens[0], 1 + number * lens[1]);
            let socket = Socket {
                state: State::Connected,
                cookie: u64::from(connection) + 1,
                address: [10, 0, 0, 1].into(),
                port: PORT,
                next_seq: asked,
                bytes_received: u64::from(asked - 1),
            };
            for (hook, seq, ack, payload) in [
                (Hook::Ingress, asked, answered, REQUEST),
                (Hook::Egress, answered, asked + lens[0], ANSWER),
            ] {
                now_ns += STEP_NS;
                let segment = Segment {
                    hook,
                    client: ([10, 0, 0, 2], 1024 + connection).into(),
                    at_ns: now_ns,
                    seq,
                    ack,
                    flags: flags::ACK,
                    payload,
                };
                segment.pass(&mut kernel, &socket);
            }
        }
        records.extend(kernel.events());
    }
    records
}
