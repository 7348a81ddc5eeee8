//! Client to server: a request's bytes, and where a turn begins.

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::{Conn, PROTOCOL_HTTP, PROTOCOL_OTHER, PROTOCOL_UNKNOWN},
    event::{REQUEST, REQUEST_MORE},
    flow::Flow,
    loss::Counter,
};

use crate::{
    adopt,
    capture::{self, Place},
    clock, http,
    maps::{conns, pending, ports, ring::Told, stats},
    packet::{self, Segment, Server},
    settings,
    sock::{self, CLOSE, LISTEN, Sock},
    zeroed::zeroed,
};

/// Data this far from what an early entry saw belongs to another connection.
const SAME_CONNECTION: u32 = 1 << 20;

/// The cookie of data that came before its socket.
const EARLY: u64 = 0;

/// The ingress hook.
#[inline(always)]
pub(crate) fn on_ingress(ctx: &SkBuffContext) -> Option<()> {
    let sock = Sock::of(ctx)?;
    let port = sock.port();
    let state = sock.state();
    if !ports::watched(port) && !learn(&sock, port, state) {
        return None;
    }
    if state == CLOSE {
        return None;
    }
    let segment = packet::segment(ctx)?;
    // While the handshake or the accept queue is full, data arrives with the listener's
    // socket and cookie: it has none of its own yet.
    let cookie = if state == LISTEN {
        EARLY
    } else {
        sock::cookie(ctx)
    };
    let known = if cookie == EARLY {
        None
    } else {
        conns::get(cookie)
    };
    let (conn, met) = match known {
        Some(conn) => (conn, Met::Before),
        None => first_met(ctx, &sock, &segment, cookie)?,
    };
    // SAFETY: a live element; ingress is the only writer of these fields.
    unsafe {
        (*conn).request.ack = segment.ack;
        (*conn).request.flags |= segment.flags;
    }
    if segment.payload_len != 0 {
        payload(ctx, conn, cookie, &segment, met);
    }
    Some(())
}

/// A listener shows its port with the first packet it gets.
#[inline(always)]
fn learn(sock: &Sock, port: u16, state: u32) -> bool {
    settings::learn_ports() && state == LISTEN && !sock.bound_to_loopback() && ports::learn(port)
}

/// How we come to know a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    /// Long since.
    Before,
    /// By the first bytes of its stream.
    AtStart,
    /// In the middle of its stream.
    Midway,
}

/// The entry of a connection that its cookie does not find.
#[inline(always)]
fn first_met(
    ctx: &SkBuffContext,
    sock: &Sock,
    segment: &Segment,
    cookie: u64,
) -> Option<(*mut Conn, Met)> {
    let mut seed: Conn = zeroed();
    packet::tuple(ctx, segment, Server::Destination, &mut seed.tuple)?;
    seed.request.next_seq = segment.seq;
    let early = pending::get(&seed.tuple);
    if cookie != EARLY
        && let Some(early) = early
        && let Some(conn) = adopt::by_packet(cookie, &seed.tuple, early, segment.seq)
    {
        return Some((conn, Met::Before));
    }
    if segment.payload_len == 0 {
        return None;
    }
    if cookie != EARLY {
        let met = if sock.at_stream_start() {
            Met::AtStart
        } else {
            Met::Midway
        };
        return Some((conns::create(cookie, &seed)?, met));
    }
    match early {
        Some(early) if same_connection(early, segment) => return Some((early, Met::Before)),
        Some(_) => {
            stats::count(Counter::PendingCollision);
        }
        None => {}
    }
    Some((pending::put(&seed)?, Met::AtStart))
}

#[inline(always)]
fn same_connection(conn: *mut Conn, segment: &Segment) -> bool {
    // SAFETY: a live element of the map; ingress is the only writer of `request`.
    let next_seq = unsafe { (*conn).request.next_seq };
    segment
        .seq
        .wrapping_sub(next_seq)
        .wrapping_add(SAME_CONNECTION)
        < 2 * SAME_CONNECTION
}

/// Counts a segment's payload; begins a turn where the client speaks again after the server.
#[inline(always)]
fn payload(ctx: &SkBuffContext, conn: *mut Conn, cookie: u64, segment: &Segment, met: Met) {
    // SAFETY: a live element; ingress is the only writer of `request` and `protocol`, and
    // of `response.turn` it reads one word.
    let (flow, protocol, answered) = unsafe {
        let answered = (&raw const (*conn).response.turn).read_volatile() == (*conn).request.turn;
        (&mut (*conn).request, &mut (*conn).protocol, answered)
    };
    if *protocol == PROTOCOL_OTHER {
        return;
    }
    let new = flow.new_bytes(segment.seq, segment.payload_len);
    let now = clock::now();
    let mut told = Told {
        cookie,
        at_ns: now,
        kind: REQUEST_MORE,
        offset: 0,
    };
    let mut place = Place {
        at: segment.payload_at,
        len: segment.payload_len,
        offset: 0,
    };
    if answered && new != 0 {
        let skip = segment.payload_len - new;
        place = Place {
            at: segment.payload_at + skip,
            len: new,
            offset: 0,
        };
        if http::begins_request(ctx, place.at, new) {
            *protocol = PROTOCOL_HTTP;
            flow.begin(flow.turn + 1, segment.seq.wrapping_add(skip), now);
            told.kind = REQUEST;
        } else if *protocol == PROTOCOL_UNKNOWN {
            *protocol = not_a_request(flow, segment, met);
            return;
        }
    }
    place.offset = segment
        .seq
        .wrapping_add(segment.payload_len - place.len)
        .wrapping_sub(flow.start_seq);
    if new != 0 {
        flow.count(new, now);
    }
    if flow.wants_head() {
        capture::head(ctx, told, REQUEST_MORE, conn, flow, &place);
    }
}

/// A stream that does not begin with a request is not ours; one joined in its middle may
/// be, at its next request.
#[inline(always)]
fn not_a_request(flow: &mut Flow, segment: &Segment, met: Met) -> u32 {
    flow.next_seq = segment.seq.wrapping_add(segment.payload_len);
    match met {
        Met::AtStart => return PROTOCOL_OTHER,
        Met::Midway => {
            stats::count(Counter::JoinedMidway);
        }
        Met::Before => {}
    }
    PROTOCOL_UNKNOWN
}
