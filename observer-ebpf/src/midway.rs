//! Answers to requests from before our time.

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{conn::Conn, loss::Counter};

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
    let mut seed = MaybeUninit::<Conn>::uninit();
    let seed = zeroed(&mut seed);
    packet::tuple(ctx, segment, Server::Source, &mut seed.tuple)?;
    seed.request.next_seq = segment.ack?;
    if conns::add(cookie, seed) {
        stats::count(Counter::JoinedMidway);
    }
    None
}

/// The same as a function of its own, so that the hook's stack has room for others. Not for 5.10,
/// which does not load that.
#[inline(never)]
pub(crate) fn meet_apart(
    ctx: &SkBuffContext,
    sock: &Sock,
    port: u16,
    segment: &Segment,
    cookie: u64,
) -> Option<()> {
    meet(ctx, sock, port, segment, cookie)
}
