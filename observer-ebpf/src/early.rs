//! Data that comes before its socket: while the handshake or the accept queue is full, it
//! arrives with the listener's socket and cookie, and the client already waits.

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::{Conn, PROTOCOL_OTHER, Tuple},
    event::CLOSED,
    loss::Counter,
};

use crate::{
    clock, http,
    maps::{
        pending, ports,
        ring::{self, Told},
        stats,
    },
    packet::{self, Segment, Server},
    request::{self, Met},
    zeroed::zeroed,
};

/// The cookie of what has no socket of its own yet.
const NO_SOCKET: u64 = 0;
/// Data this far from what was seen belongs to another connection.
const SAME_CONNECTION: u32 = 1 << 20;

/// A packet that a listener got.
#[inline(always)]
pub(crate) fn on_listener(ctx: &SkBuffContext, port: u16, segment: &Segment) -> Option<()> {
    let ends = segment.flags != 0 && ports::had_early_data(port);
    if segment.payload_len == 0 && !ends {
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
        // SAFETY: a live element; ingress is the only writer of `request`.
        unsafe { (*conn).request.flags |= segment.flags };
        if segment.payload_len != 0 {
            request::payload(ctx, None, conn, NO_SOCKET, segment, Met::Before);
        }
        return if ends {
            end(&seed.tuple, conn)
        } else {
            Some(())
        };
    }
    if !http::begins_request(ctx, segment.payload_at, segment.payload_len) {
        return None;
    }
    if known.is_some() {
        stats::count(Counter::PendingCollision);
    }
    ports::note_early_data(port);
    let conn = pending::put(seed)?;
    request::payload(ctx, None, conn, NO_SOCKET, segment, Met::AtStart);
    Some(())
}

/// No socket will claim it: the client gave up before the server took it in, or has come
/// back with another connection.
#[inline(always)]
pub(crate) fn end(tuple: &Tuple, conn: *const Conn) -> Option<()> {
    let told = Told {
        cookie: NO_SOCKET,
        at_ns: clock::now(),
        kind: CLOSED,
        offset: 0,
    };
    // A lost one is counted; the exchange then ends as swept.
    let _ = ring::emit::<0>(&told, conn, |_| 0);
    pending::remove(tuple);
    Some(())
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
