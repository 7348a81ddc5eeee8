//! Answers to requests from before our time.

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{conn::Tuple, loss::Counter};

use crate::{
    local,
    maps::{conns, ports, stats},
    packet::{self, Segment, Server},
    sock::Sock,
    zeroed::zeroed,
};

/// Meets a connection by what its server sends: a request is under way that nobody told of. It is
/// counted as lost, and the connection known from its next request on.
#[inline(always)]
pub(crate) fn meet(
    ctx: &SkBuffContext,
    sock: &Sock,
    port: u16,
    segment: &Segment,
    cookie: u64,
) -> Option<()> {
    // One that found no room was seen, and is counted.
    if segment.payload_len == 0 || ports::overflowed(port) || local::is_left_out(ctx) {
        return None;
    }
    // A server that speaks first answers nothing.
    if sock.received()?.bytes == 0 {
        return None;
    }
    let mut tuple = MaybeUninit::<Tuple>::uninit();
    let tuple = zeroed(&mut tuple);
    packet::tuple(ctx, segment, Server::Source, tuple)?;
    let next_seq = segment.ack?;
    let is_new = conns::add(cookie, |conn| {
        conn.tuple = *tuple;
        conn.request.next_seq = next_seq;
    });
    if is_new {
        stats::count(Counter::JoinedMidway);
    }
    None
}
