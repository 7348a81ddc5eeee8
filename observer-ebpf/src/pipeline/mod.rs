//! Connections whose requests do not wait for the answers (RFC 9112 9.3.2; apt sends ten at
//! once): requests and responses follow each other without a pause, at any byte of a segment,
//! so both are followed by their own framing. Each still is a turn, and the events are the
//! same.
//!
//! What does not keep to it (a request with a body among them, bytes out of order, an answer
//! that began before its head was looked at) is marked opaque, and user space counts it.

pub(crate) mod requests;
pub(crate) mod responses;
mod walk;

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{conn::Conn, flow::FLAG_PIPELINED, pipe::Pipe};

use crate::{http::First, maps::pipes, zeroed::zeroed};

/// True if the bytes at `at`, behind a whole request, begin another one, and the connection
/// is followed as a pipelined one from now on.
#[inline(always)]
pub(crate) fn begins(ctx: &SkBuffContext, conn: *mut Conn, cookie: u64, at: u32) -> bool {
    let first = First::read(ctx, at, ctx.len().saturating_sub(at));
    if !first.begins_request() {
        return false;
    }
    let mut seed = MaybeUninit::<Pipe>::uninit();
    let seed = zeroed(&mut seed);
    // SAFETY: a live element; ingress is the only writer of `request`.
    let flow = unsafe { &mut (*conn).request };
    seed.first_turn = flow.turn;
    if flow.word >> 56 == u64::from(b'H') {
        seed.heads = 1 << (flow.turn & 63);
    }
    if pipes::open(cookie, seed).is_none() {
        return false;
    }
    flow.flags |= FLAG_PIPELINED;
    true
}
