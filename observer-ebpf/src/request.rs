//! Client to server: a request's bytes, and where a turn begins.

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::{Conn, PROTOCOL_HTTP, PROTOCOL_OTHER, PROTOCOL_UNKNOWN},
    event::{REQUEST, REQUEST_MORE},
    flow::{Flow, is_after},
    loss::Counter,
};

use crate::{
    adopt,
    capture::{self, Place},
    clock, early, http, local,
    maps::{conns, pending, ports, ring::Told, stats},
    overflow,
    packet::{self, Segment, Server},
    settings,
    sock::{self, CLOSE, LISTEN, NO_SOCKET, Received, Sock},
    zeroed::zeroed,
};

/// The ingress hook.
#[inline(always)]
pub(crate) fn on_ingress(ctx: &SkBuffContext) -> Option<()> {
    let sock = Sock::of(ctx)?;
    let port = sock.port();
    let state = sock.state();
    if !ports::watched(port) && !learn(&sock, port, state) {
        return None;
    }
    if state == CLOSE || local::is_left_out(ctx) {
        return None;
    }
    let segment = packet::segment(ctx)?;
    let before_socket = state == LISTEN;
    let cookie = if before_socket {
        NO_SOCKET
    } else {
        sock::cookie(ctx)
    };
    let (conn, met) = if before_socket {
        early::entry(ctx, port, &segment)?
    } else {
        match conns::get(cookie) {
            Some(conn) => (conn, Met::Before),
            None => first_met(ctx, &sock, port, &segment, cookie)?,
        }
    };
    if met != Met::Before {
        local::note(ctx, port, &segment);
    }
    // SAFETY: a live element; ingress is the only writer of these fields.
    unsafe {
        (*conn).request.flags |= segment.flags;
        if let Some(ack) = segment.ack {
            (*conn).request.acknowledge(ack);
        }
    }
    if segment.payload_len != 0 {
        payload(ctx, &sock, conn, cookie, &segment, met);
    }
    if before_socket && segment.flags != 0 {
        early::end(conn);
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
pub(crate) enum Met {
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
    port: u16,
    segment: &Segment,
    cookie: u64,
) -> Option<(*mut Conn, Met)> {
    let expects_early = ports::had_early_data(port);
    if segment.payload_len == 0 && !expects_early {
        return None;
    }
    let mut seed = MaybeUninit::<Conn>::uninit();
    let seed = zeroed(&mut seed);
    packet::tuple(ctx, segment, Server::Destination, &mut seed.tuple)?;
    if expects_early
        && let Some(early) = pending::get(&seed.tuple)
        && let Some(conn) = adopt::by_packet(cookie, &seed.tuple, early, segment.seq)
    {
        return Some((conn, Met::Before));
    }
    if segment.payload_len == 0 {
        return None;
    }
    let (met, next_seq) = match sock.received() {
        // What comes first need not be the first.
        Some(Received { bytes: 0, next_seq }) => (Met::AtStart, next_seq),
        _ => (Met::Midway, segment.seq),
    };
    seed.request.next_seq = next_seq;
    if let Ok(conn) = conns::create(cookie, seed) {
        return Some((conn, met));
    }
    overflow::count(ctx, sock, port, segment);
    None
}

/// Counts a segment's payload; begins a turn where the client speaks again after the server.
#[inline(always)]
fn payload(
    ctx: &SkBuffContext,
    sock: &Sock,
    conn: *mut Conn,
    cookie: u64,
    segment: &Segment,
    met: Met,
) {
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
    if new == 0 && !flow.wants_head() {
        return;
    }
    let at_boundary = answered && new != 0;
    if at_boundary && is_after(segment.seq, flow.next_seq) {
        if !we_missed_some(sock, flow) {
            // It overtook the segment that begins the turn.
            flow.note_ahead(segment.seq.wrapping_add(segment.payload_len));
            return;
        }
        flow.skip_to(segment.seq);
    }
    let new = flow.new_bytes(segment.seq, segment.payload_len);
    // What was seen before, at the segment's front; a hole before it is none.
    let skip = if at_boundary {
        segment.payload_len - new
    } else {
        0
    };
    let place = Place {
        at: segment.payload_at + skip,
        len: segment.payload_len - skip,
        offset: 0,
    };
    let now = clock::now();
    let mut told = Told {
        cookie,
        at_ns: now,
        kind: REQUEST_MORE,
        offset: 0,
    };
    if at_boundary {
        if http::begins_request(ctx, place.at, place.len) {
            *protocol = PROTOCOL_HTTP;
            flow.begin(flow.turn + 1, segment.seq.wrapping_add(skip), now);
            told.kind = REQUEST;
        } else if *protocol == PROTOCOL_UNKNOWN {
            *protocol = not_a_request(flow, segment, met);
            return;
        }
    }
    let offset = segment.seq.wrapping_add(skip).wrapping_sub(flow.start_seq);
    if new != 0 {
        flow.count(new, now);
    }
    if flow.wants_head() {
        capture::head(
            ctx,
            told,
            REQUEST_MORE,
            conn,
            flow,
            &Place { offset, ..place },
        );
    }
}

/// True if TCP has received what we have not seen: no use waiting for it. (Never asked of
/// early data: its turn begins with the entry.)
#[inline(always)]
fn we_missed_some(sock: &Sock, flow: &Flow) -> bool {
    sock.received()
        .is_some_and(|received| is_after(received.next_seq, flow.next_seq))
}

/// A stream that does not begin with a request is not ours; one joined in its middle may
/// be, at its next request.
#[inline(always)]
fn not_a_request(flow: &mut Flow, segment: &Segment, met: Met) -> u32 {
    flow.skip_to(segment.seq.wrapping_add(segment.payload_len));
    match met {
        Met::AtStart => return PROTOCOL_OTHER,
        Met::Midway => {
            stats::count(Counter::JoinedMidway);
        }
        Met::Before => {}
    }
    PROTOCOL_UNKNOWN
}
