//! One TCP connection to a watched port, as the kernel keeps it.

use bytemuck::{Pod, Zeroable};

use crate::flow::{FLAG_FIN, FLAG_OPAQUE, FLAG_PIPELINED, FLAG_RST, Flow, is_after};

/// The two ends of a connection. IPv4 addresses are v4-mapped (`::ffff:a.b.c.d`), ports are
/// in host order.
///
/// Four-byte alignment, so that it can be cleared and compared by words.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct Tuple {
    /// Who asks.
    pub client: [u8; 16],
    /// Who serves; always the local end.
    pub server: [u8; 16],
    /// The client's port.
    pub client_port: u16,
    /// The watched port.
    pub server_port: u16,
}

/// The server's first `recv` after a request arrived.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Pickup {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub ns: u64,
    /// The turn that was picked up; 0 before the first.
    pub turn: u32,
    /// The thread group that received.
    pub pid: u32,
}

/// What the client has acknowledged.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Ack {
    /// When it last acknowledged all that was sent, `CLOCK_MONOTONIC` nanoseconds; not while
    /// an answer whose length is known is not wholly sent.
    pub all_ns: u64,
    /// The highest acknowledgement.
    pub seq: u32,
    /// How much more it takes, as the latest packet with that acknowledgement says it: the window
    /// field, not scaled (RFC 9293 3.1). 0 is a closed window.
    pub window: u32,
}

impl Ack {
    /// True if it is news. One that was overtaken changes nothing, and of a repeated one only the
    /// window is taken.
    #[inline(always)]
    pub fn take(&mut self, seq: u32, window: u16) -> bool {
        let news = self.seq == 0 || is_after(seq, self.seq);
        if news {
            self.seq = seq;
        }
        if seq == self.seq {
            self.window = window.into();
        }
        news
    }
}

/// A connection's state: the kernel's map value and the body of every event.
///
/// Each field has one writing side, since ingress and egress of one connection run on two
/// CPUs at once: `request`, `ack` and `protocol` belong to ingress, `response` to egress,
/// `pickup` to recv. `tuple` is set before the entry is published.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Conn {
    /// The two ends.
    pub tuple: Tuple,
    /// One of the `PROTOCOL_*` values.
    pub protocol: u32,
    /// Bytes from the client.
    pub request: Flow,
    /// Bytes from the server.
    pub response: Flow,
    /// What of the response the client has.
    pub ack: Ack,
    /// When the server took the request up.
    pub pickup: Pickup,
}

/// Not decided yet: the stream was joined in its middle.
pub const PROTOCOL_UNKNOWN: u32 = 0;
/// A stream that began with an HTTP/1 request.
pub const PROTOCOL_HTTP: u32 = 1;
/// A stream that began with something else: not read any further.
pub const PROTOCOL_OTHER: u32 = 2;
/// A stream that began with a TLS record: not read any further.
pub const PROTOCOL_TLS: u32 = 3;
/// A stream that began with the HTTP/2 preface: not read any further.
pub const PROTOCOL_HTTP2: u32 = 4;

impl Conn {
    /// True if either side reset the connection, or both have closed it.
    pub fn is_closed(&self) -> bool {
        let (client, server) = (self.request.flags, self.response.flags);
        (client | server) & FLAG_RST != 0 || client & server & FLAG_FIN != 0
    }

    /// True if requests do not wait for the answers, and both are told apart.
    pub fn is_pipelined(&self) -> bool {
        self.request.flags & FLAG_PIPELINED != 0 && !self.is_opaque()
    }

    /// True if requests do not wait for the answers, and they cannot be told apart.
    pub fn is_opaque(&self) -> bool {
        (self.request.flags | self.response.flags) & FLAG_OPAQUE != 0
    }

    /// How many bytes of the current response the client has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        let missing = self.response.next_seq.wrapping_sub(self.ack.seq);
        // The FIN has a number of its own; what the client made up is no more than all.
        let missing = missing.cast_signed().max(0).unsigned_abs();
        self.response.bytes.saturating_sub(missing.into())
    }

    /// True if the client has not acknowledged all that was sent.
    pub fn has_unacknowledged(&self) -> bool {
        is_after(self.response.next_seq, self.ack.seq)
    }

    /// True while a request waits for the first byte of its answer.
    pub fn unanswered(&self) -> bool {
        self.request.turn != self.response.turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_never_goes_back() {
        let mut ack = Ack::default();
        for (seq, news, kept) in [
            (u32::MAX - 1, true, u32::MAX - 1),
            (5, true, 5),
            (u32::MAX, false, 5),
            (5, false, 5),
            (6, true, 6),
        ] {
            assert_eq!((ack.take(seq, 1), ack.seq), (news, kept), "{seq}");
        }
    }

    #[test]
    fn the_window_is_that_of_the_latest_acknowledgement() {
        let mut ack = Ack::default();
        for (what, seq, window, kept) in [
            ("the first", u32::MAX, 500, 500),
            ("it closes", 9, 0, 0),
            ("one that was overtaken", u32::MAX, 500, 0),
            ("it opens, at the same place", 9, 7, 7),
        ] {
            ack.take(seq, window);
            assert_eq!(ack.window, kept, "{what}");
        }
    }

    #[test]
    fn what_is_acknowledged_is_what_was_sent_less_what_is_under_way() {
        let mut conn = Conn::default();
        conn.response.bytes = 5_000_000_000;
        conn.response.next_seq = 100;
        for (seq, acknowledged) in [
            (100, 5_000_000_000),
            (101, 5_000_000_000), // with the FIN
            (u32::MAX - 99, 4_999_999_800),
            (5_000, 5_000_000_000), // more than was ever sent
        ] {
            conn.ack.seq = seq;
            assert_eq!(conn.acknowledged(), acknowledged, "{seq}");
        }
    }
}
