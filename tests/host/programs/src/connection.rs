//! A connection between a client and this host, whose segments come in order.

use std::net::SocketAddr;

use crate::{
    Hook, Kernel, Socket, State,
    wire::{Segment, flags},
};

/// A window that closes nothing.
const OPEN: u16 = 500;

/// Both ends, as far as the programs can tell.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The host's socket.
    pub socket: Socket,
    /// How much more the client takes, as it says, not scaled.
    pub window: u16,
    client: SocketAddr,
    /// The next byte of the server's.
    answered: u32,
}

impl Connection {
    /// One that nothing was sent over; its number makes it another one.
    pub fn new(port: u16, number: u16) -> Self {
        Self {
            socket: Socket {
                state: State::Connected,
                cookie: u64::from(number) + 1,
                address: [10, 0, 0, 1].into(),
                port,
                next_seq: 1_000,
                bytes_received: 0,
            },
            window: OPEN,
            client: ([10, 0, 0, 2], 1_024 + number).into(),
            answered: 5_000,
        }
    }

    /// The client says this, or acknowledges only.
    pub fn ask(&mut self, kernel: &mut Kernel, at_ns: u64, payload: &[u8]) {
        let (seq, ack) = (self.socket.next_seq, self.answered);
        let segment = self.segment(Hook::Ingress, at_ns, [seq, ack], payload);
        segment.pass(kernel, &self.socket);
        self.socket.next_seq = seq.wrapping_add(len(payload));
        self.socket.bytes_received += payload.len() as u64;
    }

    /// The server says this.
    pub fn answer(&mut self, kernel: &mut Kernel, at_ns: u64, payload: &[u8]) {
        let (seq, ack) = (self.answered, self.socket.next_seq);
        let segment = self.segment(Hook::Egress, at_ns, [seq, ack], payload);
        segment.pass(kernel, &self.socket);
        self.answered = seq.wrapping_add(len(payload));
    }

    /// The server sends again what it said last, in so many segments.
    pub fn answer_again(&mut self, kernel: &mut Kernel, at_ns: u64, payload: &[u8], segments: u32) {
        let seq = self.answered.wrapping_sub(len(payload));
        let segment = Segment {
            segments,
            ..self.segment(Hook::Egress, at_ns, [seq, self.socket.next_seq], payload)
        };
        segment.pass(kernel, &self.socket);
    }

    /// The server says no more.
    pub fn end(&mut self, kernel: &mut Kernel, at_ns: u64) {
        let (seq, ack) = (self.answered, self.socket.next_seq);
        let segment = Segment {
            flags: flags::FIN | flags::ACK,
            ..self.segment(Hook::Egress, at_ns, [seq, ack], &[])
        };
        segment.pass(kernel, &self.socket);
    }

    fn segment<'a>(
        &self,
        hook: Hook,
        at_ns: u64,
        [seq, ack]: [u32; 2],
        payload: &'a [u8],
    ) -> Segment<'a> {
        Segment {
            hook,
            client: self.client,
            at_ns,
            seq,
            ack,
            flags: flags::ACK,
            window: match hook {
                Hook::Ingress => self.window,
                Hook::Egress => OPEN,
            },
            segments: 0,
            payload,
        }
    }
}

fn len(payload: &[u8]) -> u32 {
    u32::try_from(payload.len()).unwrap_or(u32::MAX)
}
