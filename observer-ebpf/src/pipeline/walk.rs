//! A walk over a segment's payload, one step a call: `bpf_loop` keeps the verifier from
//! walking all of them.

use core::ffi::c_void;

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_loop, programs::SkBuffContext};
use observer_common::{
    conn::Conn,
    flow::Flow,
    limits::{HEAD_MAX, PIECE_SMALL},
    pipe::{Pipe, Walk},
};

use crate::{
    capture,
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
    walk.at = segment.payload_at.wrapping_add(seen);
    walk.end = segment.payload_at + segment.payload_len;
    walk.uncounted = walk.at;
    seen.cast_signed() >= 0
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

    /// The next eight bytes, if there are as many.
    #[inline(always)]
    pub(super) fn stride(&self, walk: &Walk) -> Option<u64> {
        if walk.end.wrapping_sub(walk.at) < STRIDE {
            return None;
        }
        self.ctx().load(walk.at as usize).ok()
    }

    /// The next byte.
    #[inline(always)]
    pub(super) fn byte(&self, walk: &Walk) -> Option<u8> {
        self.ctx().load(walk.at as usize).ok()
    }

    /// Counts the bytes walked over, and hands over those that are a head's.
    #[inline(always)]
    pub(super) fn tell(&self, walk: &mut Walk, flow: &mut Flow, first: u8, more: u8) {
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
