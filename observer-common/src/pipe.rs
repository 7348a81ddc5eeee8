//! What the kernel side keeps of a connection whose requests do not wait for the answers.

use bytemuck::{Pod, Zeroable};

use crate::frame::{Framer, Lines};

/// Requests under way on one pipelined connection at most; apt sends 10.
pub const OUTSTANDING: u32 = 64;

/// A walk over a segment's payload. Places are offsets in the packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Walk {
    /// The next byte.
    pub at: u32,
    /// Behind the last one.
    pub end: u32,
    /// The first one that is not counted yet.
    pub uncounted: u32,
    /// How many bytes of the head were handed over.
    pub told: u32,
    /// 1 while a message is under way, [`BROKEN`] once they cannot be told apart any more.
    pub within: u32,
    /// 1 while that is its head.
    pub in_head: u32,
    /// Where the bytes in `window` are from.
    pub window_at: u32,
    /// How many of them there are.
    pub window_len: u32,
    /// Bytes of the packet, so that not each is asked for.
    pub window: [u8; WINDOW],
}

/// [`Walk::within`]: where the next message begins is not known.
pub const BROKEN: u32 = 2;

/// Bytes looked at in one go; a power of two.
pub const WINDOW: usize = 64;

impl Walk {
    /// Passes as many of `unread` bytes as there are; returns how many.
    #[inline(always)]
    pub fn pass(&mut self, unread: u64) -> u64 {
        let left = self.end.wrapping_sub(self.at);
        let passed = u32::try_from(unread).unwrap_or(u32::MAX).min(left);
        self.at = self.at.wrapping_add(passed);
        u64::from(passed)
    }
}

/// The state of both directions; each field has one writing side, as in
/// [`Conn`](crate::conn::Conn).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Pipe {
    /// Of ingress: bit `turn % 64` is set if that request is a HEAD.
    pub heads: u64,
    /// Of ingress: over requests.
    pub requests: Walk,
    /// Of ingress: the request head under way.
    pub lines: Lines,
    /// Of ingress: the first turn whose answer is framed here.
    pub first_turn: u32,
    /// Of egress: over responses.
    pub responses: Walk,
    /// Of egress: the response under way.
    pub framer: Framer,
    /// Of egress: 1 if the response under way answers a HEAD.
    pub bodiless: u32,
    /// Of egress: the latest turn whose answer was framed here.
    pub last_turn: u32,
}
