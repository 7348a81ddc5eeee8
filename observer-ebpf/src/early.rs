//! Data that comes before its socket: while the handshake or the accept queue is full, it
//! arrives with the listener's socket and cookie, and the client already waits.

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::{Conn, PROTOCOL_OTHER},
    event::CLOSED,
    loss::Counter,
};

use crate::{
    clock,
    http::First,
    maps::{
        pending, ports,
        ring::{self, Told},
        stats,
    },
    packet::{self, Segment, Server},
    request::Met,
    sock::NO_SOCKET,
    zeroed::zeroed,
};

/// Data this far from what was seen belongs to another connection.
const SAME_CONNECTION: u32 = 1 << 20;

/// The entry of a connection whose packet a listener got, if that packet matters: it begins
/// a request, or goes on with one, or ends it.
#[inline(always)]
pub(crate) fn entry(ctx: &SkBuffContext, port: u16, segment: &Segment) -> Option<(*mut Conn, Met)> {
    if segment.payload_len == 0 && (segment.flags == 0 || !ports::had_early_data(port)) {
        return None;
    }
    let mut seed = MaybeUninit::<Conn>::uninit();
    let seed = zeroed(&mut seed);
    packet::tuple(ctx, segment, Server::Destination, &mut seed.tuple)?;
    seed.request.next_seq = segment.seq;
    let known = pending::get(&seed.tuple);
    if let Some(conn) = known
        && is_same_connection(conn, segment)
    {
        return Some((conn, Met::Before));
    }
    let first = First::read(ctx, segment.payload_at, segment.payload_len);
    if !first.begins_request() {
        return None;
    }
    if known.is_some() {
        stats::count(Counter::PendingCollision);
    }
    ports::note_early_data(port);
    let early = pending::put(seed);
    if early.is_none() {
        ports::note_overflow(port);
    }
    Some((early?, Met::AtStart))
}

/// No socket will claim it: the client gave up before the server took it in, or has come
/// back with another connection.
#[inline(always)]
pub(crate) fn end(conn: *const Conn) {
    let told = Told {
        cookie: NO_SOCKET,
        at_ns: clock::now(),
        kind: CLOSED,
        offset: 0,
    };
    // A lost one is counted; the exchange then ends as swept.
    let _ = ring::emit::<0>(&told, conn, |_| 0);
    // SAFETY: a live element; its tuple is never written again.
    pending::remove(unsafe { &(*conn).tuple });
}

#[inline(always)]
fn is_same_connection(conn: *mut Conn, segment: &Segment) -> bool {
    // SAFETY: a live element of the map; ingress is the only writer of these.
    let (next_seq, protocol) = unsafe { ((*conn).request.next_seq, (*conn).protocol) };
    let distance = segment
        .seq
        .wrapping_sub(next_seq)
        .wrapping_add(SAME_CONNECTION);
    protocol != PROTOCOL_OTHER && distance < 2 * SAME_CONNECTION
}
