//! One direction of a connection: which bytes are new, and which turn they belong to.

use bytemuck::{Pod, Zeroable};

use crate::limits::{HEAD_MAX, PIECES_MAX};

/// The sender closed this direction (FIN).
pub const FLAG_FIN: u8 = 1;
/// The sender reset the connection (RST).
pub const FLAG_RST: u8 = 2;
/// Of requests: they do not wait for the answers; from now on answers are framed by the
/// kernel side.
pub const FLAG_PIPELINED: u8 = 4;
/// Of responses: the one under way is followed by its length, which is in `word`.
pub const FLAG_LENGTH: u8 = 4;
/// Pipelined, and this direction can no longer be told apart.
pub const FLAG_OPAQUE: u8 = 8;
/// Of responses: the connection has left HTTP (101).
pub const FLAG_UPGRADED: u8 = 16;
/// Of responses: the one under way is followed by its framing.
pub const FLAG_FOLLOWED: u8 = 32;
/// Of responses: that was followed to its end.
pub const FLAG_FRAMED: u8 = 64;
/// There is a [`Pipe`](crate::pipe::Pipe) for the connection.
pub const FLAG_HAS_PIPE: u8 = 128;

/// One direction of a connection, counted by TCP sequence number so that a retransmitted
/// segment is not new bytes.
///
/// A *turn* is client bytes followed by server bytes, numbered from 1; the counters are
/// those of the current turn.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Flow {
    /// First byte of the turn, `CLOCK_MONOTONIC` nanoseconds.
    pub first_ns: u64,
    /// Latest new byte of the turn.
    pub last_ns: u64,
    /// When the sender closed or reset its direction; 0 while it has not.
    pub end_ns: u64,
    /// Payload bytes of the turn, each once.
    pub bytes: u64,
    /// Of a request its first eight bytes, of a response its latest eight, as they come
    /// (big-endian; of fewer, the rest is 0); or its whole length, with [`FLAG_LENGTH`].
    pub word: u64,
    /// The sequence number after the highest byte seen.
    pub next_seq: u32,
    /// The sequence number of the turn's first byte.
    pub start_seq: u32,
    /// Number of the turn; 0 before the first.
    pub turn: u32,
    /// How far the head was handed over, in bytes from `start_seq`.
    pub captured: u16,
    /// 1 when the head needs no more capturing.
    pub head_done: u8,
    /// `FLAG_*`.
    pub flags: u8,
    /// How far beyond `next_seq` bytes arrived that overtook the turn's first one.
    pub ahead: u32,
    /// Pieces of the head handed over so far.
    pub pieces: u32,
}

impl Flow {
    /// How many of `len` bytes at `seq` lie beyond what was seen (RFC 9293 sequence
    /// arithmetic: differences, never comparisons).
    #[inline(always)]
    pub fn new_bytes(&self, seq: u32, len: u32) -> u32 {
        let new = seq.wrapping_add(len).wrapping_sub(self.next_seq);
        if new.cast_signed() > 0 { new } else { 0 }
    }

    /// Starts a turn whose first byte is at `seq`.
    #[inline(always)]
    pub fn begin(&mut self, turn: u32, seq: u32, now: u64) {
        self.first_ns = now;
        self.bytes = 0;
        self.word = 0;
        self.start_seq = seq;
        self.next_seq = seq;
        self.captured = 0;
        self.pieces = 0;
        self.head_done = 0;
        self.turn = turn;
    }

    /// Remembers that bytes up to `end` overtook those that belong at `next_seq`.
    #[inline(always)]
    pub fn note_ahead(&mut self, end: u32) {
        let ahead = end.wrapping_sub(self.next_seq);
        if ahead > self.ahead {
            self.ahead = ahead;
        }
    }

    /// The sender closed or reset its direction.
    #[inline(always)]
    pub fn end(&mut self, flags: u8, now: u64) {
        self.flags |= flags;
        if self.end_ns == 0 {
            self.end_ns = now;
        }
    }

    /// Counts `new` bytes that end the sequence seen so far, and those that overtook them.
    #[inline(always)]
    pub fn count(&mut self, new: u32, now: u64) {
        let new = if self.ahead > new { self.ahead } else { new };
        self.ahead = 0;
        self.last_ns = now;
        self.bytes += u64::from(new);
        self.next_seq = self.next_seq.wrapping_add(new);
    }

    /// Goes on at `seq`, whatever was missed before it.
    #[inline(always)]
    pub fn skip_to(&mut self, seq: u32) {
        self.ahead = 0;
        self.next_seq = seq;
    }

    /// True if the turn is a head that was handed over whole, and nothing behind it.
    #[inline(always)]
    pub fn is_bare_head(&self) -> bool {
        self.head_done == 1 && self.bytes == u64::from(self.captured)
    }

    /// True while pieces of the head are still handed over.
    #[inline(always)]
    pub fn wants_head(&self) -> bool {
        self.head_done == 0 && self.pieces < PIECES_MAX && u32::from(self.captured) < HEAD_MAX
    }
}

/// RFC 9293 3.4: sequence numbers are compared by their difference.
#[inline(always)]
pub fn is_after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_bytes_are_counted_once() {
        let flow = Flow {
            next_seq: 100,
            ..Flow::default()
        };
        for (seq, len, new) in [
            (100, 10, 10),
            (90, 10, 0),   // retransmitted
            (95, 10, 5),   // half of it new
            (120, 10, 30), // a hole before it: it will be filled, or the connection dies
            (99, 1, 0),    // keep-alive probe
            (100, 0, 0),
        ] {
            assert_eq!(flow.new_bytes(seq, len), new, "{seq}+{len}");
        }
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut flow = Flow::default();
        flow.begin(1, u32::MAX - 4, 7);
        let new = flow.new_bytes(u32::MAX - 4, 10);
        flow.count(new, 8);
        assert_eq!((flow.bytes, flow.next_seq), (10, 5));
        assert_eq!(flow.new_bytes(u32::MAX - 4, 10), 0);
    }

    #[test]
    fn what_came_ahead_counts_once_its_turn_begins() {
        for start in [0, 100, u32::MAX / 2, u32::MAX - 20, u32::MAX] {
            let mut flow = Flow {
                next_seq: start,
                ..Flow::default()
            };
            flow.note_ahead(start.wrapping_add(200));
            flow.note_ahead(start.wrapping_add(100));
            flow.begin(1, start, 1);
            flow.count(50, 1);
            assert_eq!(
                (flow.bytes, flow.next_seq),
                (200, start.wrapping_add(200)),
                "{start}"
            );
            flow.count(7, 2);
            assert_eq!(flow.bytes, 207, "{start}");
        }
    }

    #[test]
    fn a_new_turn_starts_from_nothing() {
        let mut flow = Flow::default();
        flow.begin(1, 10, 1);
        flow.count(600, 2);
        flow.captured = 512;
        flow.head_done = 1;
        flow.begin(2, 610, 3);
        assert_eq!(
            (flow.bytes, flow.captured, flow.turn, flow.first_ns),
            (0, 0, 2, 3)
        );
        assert!(flow.wants_head());
    }
}
