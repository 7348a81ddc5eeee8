//! Connections whose requests do not wait for the answers (RFC 9112 9.3.2; apt sends ten at
//! once): requests and responses follow each other without a pause, at any byte of a segment,
//! so both are followed by their own framing. Each still is a turn, and the events are the
//! same.
//!
//! So is a request whose head comes in several segments, for another may follow it at any byte.
//!
//! What does not keep to it (a request with a body among them, bytes out of order, an answer
//! that began before its head was looked at) is marked opaque, and user space counts it.

pub(crate) mod alone;
pub(crate) mod requests;
pub(crate) mod responses;
mod walk;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::Conn,
    flow::{FLAG_HAS_PIPE, FLAG_PIPELINED, is_after},
    frame::Lines,
    pipe::BROKEN,
};

use crate::{http::First, maps::pipes, packet::Segment};

/// How the request under way is taken over.
#[derive(Clone, Copy)]
pub(crate) enum Under {
    /// In its head, of which so many bytes were handed over.
    Head(u32),
    /// Its head was whole.
    Done,
}

/// Follows the connection as a pipelined one from now on; false if there is no room. Called by
/// ingress while the latest request is not answered.
#[inline(always)]
pub(crate) fn enter(conn: *mut Conn, cookie: u64, under: Under) -> bool {
    let Some(pipe) = pipes::get_or_create(cookie) else {
        return false;
    };
    // SAFETY: live elements; ingress is the only writer of these.
    unsafe {
        let flow = &mut (*conn).request;
        let bit = 1 << (flow.turn & 63);
        (*pipe).heads = if First::is_head(flow.word) { bit } else { 0 };
        (*pipe).first_turn = flow.turn;
        let walk = &mut (*pipe).requests;
        (walk.within, walk.in_head, walk.told) = match under {
            Under::Head(told) => (1, 1, told),
            Under::Done => (0, 0, 0),
        };
        (*pipe).lines = Lines::default();
        flow.flags |= FLAG_PIPELINED | FLAG_HAS_PIPE;
    }
    true
}

/// True if the connection can be followed no further as a pipelined one, and need not: all is
/// answered and what comes is not a request without a body, or one request is under way alone and
/// its bytes do not come in order.
#[inline(always)]
pub(crate) fn leave(ctx: &SkBuffContext, conn: *mut Conn, cookie: u64, segment: &Segment) -> bool {
    let Some(pipe) = pipes::get(cookie) else {
        return false;
    };
    // SAFETY: live elements; ingress is the only writer of `request` and `requests`, and of
    // what belongs to egress it reads a word each.
    unsafe {
        let flow = &mut (*conn).request;
        if (*pipe).requests.within == BROKEN
            || flow.new_bytes(segment.seq, segment.payload_len) == 0
        {
            return false;
        }
        let answered = (&raw const (*conn).response.turn).read_volatile();
        let within = (&raw const (*pipe).responses.within).read_volatile();
        let ahead = is_after(segment.seq, flow.next_seq);
        let (idle, alone) = if (*pipe).requests.within == 0 {
            let at = flow
                .next_seq
                .wrapping_sub(segment.seq)
                .wrapping_add(segment.payload_at);
            let byte = ctx.load::<u8>(at as usize).unwrap_or(0);
            // A client that did not wait once may not wait again.
            let goes_on = !ahead && First::is_bodiless(u64::from(byte) << 56);
            (!goes_on && within == 0 && answered == flow.turn, false)
        } else {
            let first = (*pipe).first_turn == flow.turn;
            (false, ahead && first && answered != flow.turn)
        };
        if idle || alone {
            flow.flags &= !FLAG_PIPELINED;
        }
        idle || alone
    }
}
