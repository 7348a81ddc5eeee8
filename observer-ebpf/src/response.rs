//! Server to client: an answer's bytes.

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::{Conn, Tuple},
    event::{RESPONSE, RESPONSE_MORE},
    flow::{FLAG_RST, is_after},
};

use crate::{
    adopt,
    capture::{self, Place},
    clock, http,
    maps::{conns, pending, ports, ring::Told},
    midway,
    packet::{self, Segment, Server},
    sock::{self, CLOSE, LISTEN, Sock},
    zeroed::zeroed,
};

/// The egress hook.
#[inline(always)]
pub(crate) fn on_egress(ctx: &SkBuffContext) -> Option<()> {
    let sock = Sock::of(ctx)?;
    let port = sock.port();
    if !ports::watched(port) {
        return if port == 0 && sock.state() == CLOSE {
            aborted(ctx)
        } else {
            None
        };
    }
    if sock.state() == LISTEN {
        return None;
    }
    let segment = packet::segment(ctx)?;
    let cookie = sock::cookie(ctx);
    let known = conns::get(cookie).or_else(|| adopted(ctx, port, cookie, &segment));
    let Some(conn) = known else {
        return midway::meet(ctx, &sock, port, &segment, cookie);
    };
    if segment.payload_len != 0 {
        payload(ctx, conn, cookie, &segment);
    }
    // Behind the bytes: whoever looks and finds the end must find them, too.
    // SAFETY: a live element; egress is the only writer of `response`.
    unsafe { (*conn).response.flags |= segment.flags };
    Some(())
}

/// A child's first packet may claim what came before it.
#[inline(always)]
fn adopted(ctx: &SkBuffContext, port: u16, cookie: u64, segment: &Segment) -> Option<*mut Conn> {
    if !ports::had_early_data(port) {
        return None;
    }
    let mut tuple = MaybeUninit::<Tuple>::uninit();
    let tuple = zeroed(&mut tuple);
    packet::tuple(ctx, segment, Server::Source, tuple)?;
    adopt::by_packet(cookie, tuple, pending::get(tuple)?, segment.ack?)
}

/// An abortive close: the socket let its port go before its RST left; the cookie is right.
#[inline(always)]
fn aborted(ctx: &SkBuffContext) -> Option<()> {
    let conn = conns::get(sock::cookie(ctx))?;
    // SAFETY: a live element; egress is the only writer of `response`.
    unsafe { (*conn).response.flags |= FLAG_RST };
    Some(())
}

/// Counts a segment's payload; the first of a turn is an event.
#[inline(always)]
fn payload(ctx: &SkBuffContext, conn: *mut Conn, cookie: u64, segment: &Segment) {
    // SAFETY: a live element; egress is the only writer of `response`, and of
    // `request.turn` and `request.ack` it reads a word each.
    let (flow, turn, acknowledged) = unsafe {
        (
            &mut (*conn).response,
            (&raw const (*conn).request.turn).read_volatile(),
            (&raw const (*conn).request.ack).read_volatile(),
        )
    };
    if turn == 0 {
        return;
    }
    if flow.turn == 0 {
        // What the client has acknowledged is an answer from before our time, sent again.
        flow.next_seq = if is_after(acknowledged, segment.seq) {
            acknowledged
        } else {
            segment.seq
        };
    }
    let new = flow.new_bytes(segment.seq, segment.payload_len);
    if new == 0 {
        return;
    }
    let skip = segment.payload_len.saturating_sub(new);
    let now = clock::sent(ctx);
    let first = flow.turn != turn;
    if first {
        flow.begin(turn, segment.seq.wrapping_add(skip), now);
    }
    let offset = segment.seq.wrapping_add(skip).wrapping_sub(flow.start_seq);
    flow.count(new, now);
    if flow.wants_head() {
        let kind = if first { RESPONSE } else { RESPONSE_MORE };
        let told = Told {
            cookie,
            at_ns: now,
            kind,
            offset,
        };
        let place = Place {
            at: segment.payload_at + skip,
            len: segment.payload_len - skip,
            offset,
        };
        let at = place.at;
        capture::head(ctx, told, RESPONSE_MORE, conn, flow, &place);
        if http::begins_interim(ctx, at) {
            flow.head_done = 0;
        }
    }
}
