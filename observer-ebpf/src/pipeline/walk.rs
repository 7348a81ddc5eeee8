//! A walk over a segment's payload, one step a call: `bpf_loop` keeps the verifier from
//! walking all of them.

use core::ffi::c_void;

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_loop, programs::SkBuffContext};
use observer_common::{
    conn::Conn,
    flow::Flow,
    limits::{HEAD_MAX, PIECE_SMALL, PIECES_MAX},
    pipe::{Pipe, WINDOW, Walk},
};

use crate::{
    capture, insn,
    maps::ring::{self, Told},
    packet::Segment,
};

/// What a step works on.
#[repr(C)]
pub(super) struct Run {
    skb: *mut __sk_buff,
    pub(super) conn: *mut Conn,
    pub(super) pipe: *mut Pipe,
    cookie: u64,
    pub(super) now: u64,
}

/// What a step says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    On,
    Stop,
}

/// More steps than any segment's bytes take.
const STEPS: u32 = 1 << 18;
/// Bytes looked at in one go.
const STRIDE: u32 = 8;

/// Sets the walk to the segment's bytes that are new. False if there is a gap before them.
#[inline(always)]
pub(super) fn begin(walk: &mut Walk, flow: &Flow, segment: &Segment) -> bool {
    let seen = flow.next_seq.wrapping_sub(segment.seq);
    begin_at(walk, segment, seen);
    seen.cast_signed() >= 0
}

/// Sets the walk to the segment's payload behind its first `seen` bytes.
#[inline(always)]
pub(super) fn begin_at(walk: &mut Walk, segment: &Segment, seen: u32) {
    walk.at = segment.payload_at.wrapping_add(seen);
    walk.end = segment.payload_at + segment.payload_len;
    walk.uncounted = walk.at;
    walk.window_len = 0;
}

/// Takes `step` until it stops.
#[inline(always)]
pub(super) fn run(
    ctx: &SkBuffContext,
    conn: *mut Conn,
    pipe: *mut Pipe,
    cookie: u64,
    now: u64,
    step: unsafe extern "C" fn(u32, *mut Run) -> i64,
) {
    let mut run = Run {
        skb: ctx.skb.skb,
        conn,
        pipe,
        cookie,
        now,
    };
    // SAFETY: the helper calls `step` with the index and the pointer it is given, which
    // outlives the call.
    unsafe { bpf_loop(STEPS, step as *mut c_void, (&raw mut run).cast(), 0) };
}

impl Run {
    fn ctx(&self) -> SkBuffContext {
        SkBuffContext::new(self.skb)
    }

    /// Makes the next `count` bytes stand in the window; returns where, `None` if there are not as
    /// many.
    #[inline(always)]
    fn see(&self, walk: &mut Walk, count: u32) -> Option<usize> {
        let seen = walk.at.wrapping_sub(walk.window_at);
        if seen < walk.window_len && walk.window_len - seen >= count {
            return Some(seen as usize & (WINDOW - 1));
        }
        let left = walk.end.wrapping_sub(walk.at);
        if left < count {
            return None;
        }
        let len = if left < WINDOW as u32 {
            left
        } else {
            WINDOW as u32
        };
        walk.window_at = walk.at;
        walk.window_len = capture::load(&self.ctx(), walk.at, &raw mut walk.window, len);
        if walk.window_len < count {
            return None;
        }
        Some(0)
    }

    /// The next eight bytes, if there are as many, in whatever order.
    #[inline(always)]
    pub(super) fn stride(&self, walk: &mut Walk) -> Option<u64> {
        let from = walk.window.as_ptr().wrapping_add(self.see(walk, STRIDE)?);
        // SAFETY: eight bytes of the window, as `see` made sure.
        Some(unsafe { insn::unaligned(from) })
    }

    /// The next byte.
    #[inline(always)]
    pub(super) fn byte(&self, walk: &mut Walk) -> Option<u8> {
        let at = self.see(walk, 1)?;
        walk.window.get(at).copied()
    }

    /// Counts the bytes walked over, and hands over those that are a head's, within the bounds of
    /// one. An `end` is told in any case.
    #[inline(always)]
    pub(super) fn tell(&self, walk: &mut Walk, flow: &mut Flow, first: u8, more: u8, end: bool) {
        let place = walk.uncounted;
        let len = walk.at.wrapping_sub(place);
        let offset = walk.told;
        flow.count(len, self.now);
        walk.uncounted = walk.at;
        let told = Told {
            cookie: self.cookie,
            at_ns: self.now,
            kind: if offset == 0 { first } else { more },
            offset,
        };
        let len = if walk.in_head == 1 && offset < HEAD_MAX {
            len
        } else {
            0
        };
        walk.told = offset + len;
        flow.captured = walk.told as u16;
        flow.pieces += 1;
        if !end && (len == 0 || flow.pieces > PIECES_MAX) {
            return;
        }
        // A lost one is counted; the exchange then ends as swept.
        let _ = ring::emit::<PIECE_SMALL>(&told, self.conn, |data| {
            capture::load(&self.ctx(), place, data, len) as u16
        });
    }
}

/// True if the next stride may take the bytes that are not told beyond one piece.
#[inline(always)]
pub(super) fn is_piece(walk: &Walk) -> bool {
    walk.at.wrapping_sub(walk.uncounted) > PIECE_SMALL as u32 - STRIDE
}
