//! Client to server: a request's bytes, and where a turn begins.

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::{Conn, PROTOCOL_HTTP, PROTOCOL_HTTP2, PROTOCOL_OTHER, PROTOCOL_TLS, PROTOCOL_UNKNOWN},
    event::{REQUEST, REQUEST_AHEAD, REQUEST_MORE},
    flow::{
        FLAG_FOLLOWED, FLAG_FRAMED, FLAG_LENGTH, FLAG_PIPELINED, FLAG_RST, FLAG_UPGRADED, Flow,
        is_after,
    },
    limits::{FAR_AHEAD, FIRST_TURNS},
    loss::Counter,
};

use crate::{
    adopt, blank_line,
    capture::{self, Place},
    clock::Instant,
    early,
    http::{self, Begins, First},
    local,
    maps::{conns, pending, ports, ring::Told, stats},
    overflow,
    packet::{self, Segment, Server},
    pipeline::{self, Under},
    settings,
    sock::{self, CLOSE, LISTEN, NO_SOCKET, Received, Sock},
    zeroed::zeroed,
};

/// The ingress hook. With `PIPELINES` it tells apart requests that do not wait for answers.
#[inline(always)]
pub(crate) fn on_ingress<const PIPELINES: bool>(ctx: &SkBuffContext) -> Option<()> {
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
    let mut at = Instant::unread();
    acknowledge(conn, &segment, &mut at);
    if segment.payload_len != 0 {
        payload::<PIPELINES>(ctx, &sock, conn, cookie, &segment, met, &mut at);
    }
    let flags = if before_socket || is_in_order(&sock, conn, &segment) {
        segment.flags
    } else {
        segment.flags & !FLAG_RST
    };
    if flags != 0 {
        // Behind the bytes: whoever looks and finds the end must find them, too.
        // SAFETY: a live element; ingress is the only writer of `request`.
        unsafe { (*conn).request.end(flags, at.ns()) };
        if before_socket {
            early::end(conn);
        }
    }
    Some(())
}

/// False for a reset that TCP does not take either (RFC 5961 3).
#[inline(always)]
fn is_in_order(sock: &Sock, conn: *const Conn, segment: &Segment) -> bool {
    if segment.flags & FLAG_RST == 0 {
        return true;
    }
    // SAFETY: a live element; ingress is the only writer of `request`.
    let next_seq = unsafe { (*conn).request.next_seq };
    sock.received()
        .is_none_or(|received| segment.seq == received.next_seq || segment.seq == next_seq)
}

/// Takes what the client acknowledges, with a RST too, and its window; stamps when that is all that was sent, and,
/// as far as is known, all that will be: between the pieces of an answer the stamp is of no use,
/// and would be half of what the piece costs.
#[inline(always)]
fn acknowledge(conn: *mut Conn, segment: &Segment, at: &mut Instant) {
    let Some(seq) = segment.ack else { return };
    // SAFETY: a live element; ingress is the only writer of `ack`, and of `response` it reads
    // words.
    unsafe {
        let sent = (&raw const (*conn).response.next_seq).read_volatile();
        let answered = (&raw const (*conn).response.turn).read_volatile();
        // With its FIN; TCP does not take what was never sent (RFC 9293 3.10.7.4).
        if answered != 0 && is_after(seq, sent.wrapping_add(1)) {
            return;
        }
        let flags = (&raw const (*conn).response.flags).read_volatile();
        let more_comes = flags & (FLAG_LENGTH | FLAG_FRAMED) == FLAG_LENGTH;
        let ack = &mut (*conn).ack;
        if ack.take(seq, segment.window) && !is_after(sent, seq) && !more_comes {
            ack.all_ns = at.ns();
        }
    }
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
fn payload<const PIPELINES: bool>(
    ctx: &SkBuffContext,
    sock: &Sock,
    conn: *mut Conn,
    cookie: u64,
    segment: &Segment,
    met: Met,
    at: &mut Instant,
) -> Option<()> {
    // SAFETY: a live element; ingress is the only writer of `request` and `protocol`, and
    // of `response` it reads a word and a byte.
    let (flow, protocol, answered, upgraded) = unsafe {
        let answered = (&raw const (*conn).response.turn).read_volatile() == (*conn).request.turn;
        let flags = (&raw const (*conn).response.flags).read_volatile();
        (
            &mut (*conn).request,
            &mut (*conn).protocol,
            answered,
            flags & FLAG_UPGRADED != 0,
        )
    };
    if *protocol >= PROTOCOL_OTHER || upgraded {
        return None;
    }
    if PIPELINES && flow.flags & FLAG_PIPELINED != 0 && !pipeline::leave(ctx, conn, cookie, segment)
    {
        return pipeline::requests::follow(ctx, conn, cookie, segment);
    }
    let new = flow.new_bytes(segment.seq, segment.payload_len);
    if (new == 0 && !flow.wants_head()) || new > FAR_AHEAD {
        return None;
    }
    let mut told = Told {
        cookie,
        at_ns: at.ns(),
        kind: REQUEST_MORE,
        offset: 0,
    };
    let mut place = Place {
        at: segment.payload_at,
        len: segment.payload_len,
        offset: 0,
    };
    let how = if answered && new != 0 {
        let http = *protocol == PROTOCOL_HTTP;
        let first = at_boundary(ctx, sock, &mut told, conn, flow, segment, &mut place, http)?;
        let begins = http::begins(ctx, first, place.at, place.len);
        if begins == Begins::Request && (!is_under_way(conn) || First::is_bodiless(flow.word)) {
            if PIPELINES
                && is_under_way(conn)
                && First::is_bodiless(first.word)
                && pipeline::enter(conn, cookie, Under::Done)
            {
                return pipeline::requests::follow(ctx, conn, cookie, segment);
            }
            flow.begin(flow.turn + 1, seq_of(segment, &place), told.at_ns);
            flow.word = first.word;
            told.kind = REQUEST;
            decide(protocol, first);
            How::Begins
        } else if *protocol == PROTOCOL_UNKNOWN {
            // One that found no room was seen, and is counted.
            let met = if ports::overflowed(sock.port()) && met == Met::Midway {
                Met::Before
            } else {
                met
            };
            *protocol = not_a_request(flow, segment, met, begins);
            return None;
        } else {
            How::Answered
        }
    } else if flow.bytes < 8 && new == place.len {
        let first = First::read(ctx, place.at, place.len).behind(flow.word, flow.bytes as u32);
        flow.word = first.word;
        if first.begins_request() {
            decide(protocol, first);
        } else if *protocol == PROTOCOL_UNKNOWN {
            *protocol = PROTOCOL_OTHER;
            stats::connection(PROTOCOL_OTHER);
            return None;
        }
        if first.is_whole() {
            How::Decided
        } else {
            How::GoesOn
        }
    } else if new == place.len && !answered {
        How::GoesOn
    } else {
        How::Answered
    };
    let mut end = 0;
    if PIPELINES && cookie != NO_SOCKET && First::is_bodiless(flow.word) && flow.ahead == 0 {
        if how == How::Begins {
            end = blank_line::end(ctx, place.at, place.len);
        }
        if let Some(under) = more_may_follow(ctx, flow, how, &place, end)
            && pipeline::enter(conn, cookie, under)
        {
            return pipeline::requests::follow(ctx, conn, cookie, segment);
        }
    }
    if end == 0 && flow.wants_head() {
        end = blank_line::end_likely_last::<false>(ctx, place.at, place.len);
    }
    hand_over(ctx, conn, flow, told, segment, place, end);
    Some(())
}

/// What a segment's bytes are to a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// It begins with them.
    Begins,
    /// With them there are enough to tell that it is one.
    Decided,
    /// They go on with it, in order.
    GoesOn,
    /// They come behind the answer's beginning, or out of order.
    Answered,
}

/// How a request without a body is to be taken over, behind which another may follow before it is
/// answered: in the same segment, in the next, or, where its head is not whole, in any.
#[inline(always)]
fn more_may_follow(
    ctx: &SkBuffContext,
    flow: &Flow,
    how: How,
    place: &Place,
    end: u32,
) -> Option<Under> {
    match how {
        How::Begins if end == 0 => (place.len >= 8).then_some(Under::Head(0)),
        How::Begins => {
            (end < place.len && is_request(ctx, place.at + end)).then_some(Under::Head(0))
        }
        How::Decided => Some(Under::Head(flow.captured.into())),
        How::GoesOn => (flow.is_bare_head() && is_request(ctx, place.at)).then_some(Under::Done),
        How::Answered => None,
    }
}

/// Counts the segment's new bytes, and hands over what is a head's.
#[inline(always)]
fn hand_over(
    ctx: &SkBuffContext,
    conn: *mut Conn,
    flow: &mut Flow,
    told: Told,
    segment: &Segment,
    mut place: Place,
    end: u32,
) {
    let seq = seq_of(segment, &place);
    let new = flow.new_bytes(seq, place.len);
    place.offset = seq.wrapping_sub(flow.start_seq);
    if new != 0 {
        flow.count(new, told.at_ns);
    }
    // SAFETY: a live element; ingress is the only writer of `protocol`.
    let protocol = unsafe { &mut (*conn).protocol };
    if *protocol == PROTOCOL_UNKNOWN && flow.bytes >= 8 {
        // Its first bytes came in pieces that overlap; each began like a request.
        *protocol = PROTOCOL_HTTP;
        stats::connection(PROTOCOL_HTTP);
    }
    if flow.wants_head() {
        capture::head(ctx, told, REQUEST_MORE, conn, flow, &place, end);
    }
}

/// True if the bytes at `at` begin a request, as far as they go, behind an empty line or not.
#[inline(always)]
fn is_request(ctx: &SkBuffContext, mut at: u32) -> bool {
    if First::read(ctx, at, ctx.len().saturating_sub(at)).is_empty_line() {
        at += 2;
    }
    First::read(ctx, at, ctx.len().saturating_sub(at)).begins_request()
}

/// True if the answer goes on, as far as its framing was followed from its head: the client asks
/// again before it has it, or goes on with a body.
#[inline(always)]
fn is_under_way(conn: *const Conn) -> bool {
    // SAFETY: a live element; byte and word read.
    let (flags, turn) = unsafe {
        (
            (&raw const (*conn).response.flags).read_volatile(),
            (&raw const (*conn).response.turn).read_volatile(),
        )
    };
    let is_told = turn <= FIRST_TURNS || flags & FLAG_LENGTH != 0;
    is_told && flags & (FLAG_FOLLOWED | FLAG_FRAMED) == FLAG_FOLLOWED
}

/// The place where a turn may begin, and its first bytes; `None` if it is not in this segment.
#[expect(clippy::too_many_arguments, reason = "all of them its caller's")]
#[inline(always)]
fn at_boundary(
    ctx: &SkBuffContext,
    sock: &Sock,
    told: &mut Told,
    conn: *mut Conn,
    flow: &mut Flow,
    segment: &Segment,
    place: &mut Place,
    http: bool,
) -> Option<First> {
    if is_after(segment.seq, flow.next_seq) {
        if !we_missed_some(sock, flow) {
            // It overtook the segment that begins the turn.
            told.kind = REQUEST_AHEAD;
            place.offset = segment.seq.wrapping_sub(flow.next_seq);
            told.offset = place.offset;
            flow.note_ahead(segment.seq.wrapping_add(segment.payload_len));
            // Of a stream that is not known to be HTTP no byte goes up.
            if http {
                capture::ahead(ctx, told, conn, flow, place);
            }
            return None;
        }
        flow.skip_to(segment.seq);
    }
    // What was seen before, at the segment's front.
    let seen = segment.payload_len - flow.new_bytes(segment.seq, segment.payload_len);
    place.at += seen;
    place.len -= seen;
    let mut first = First::read(ctx, place.at, place.len);
    if first.is_empty_line() {
        place.at += 2;
        place.len -= 2;
        flow.skip_to(seq_of(segment, place));
        first = First::read(ctx, place.at, place.len);
    }
    if place.len == 0 { None } else { Some(first) }
}

#[inline(always)]
fn seq_of(segment: &Segment, place: &Place) -> u32 {
    segment
        .seq
        .wrapping_add(place.at.wrapping_sub(segment.payload_at))
}

/// It is HTTP, once so many bytes say so that no more could change it.
#[inline(always)]
fn decide(protocol: &mut u32, first: First) {
    if *protocol == PROTOCOL_UNKNOWN && first.is_whole() {
        *protocol = PROTOCOL_HTTP;
        stats::connection(PROTOCOL_HTTP);
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
fn not_a_request(flow: &mut Flow, segment: &Segment, met: Met, begins: Begins) -> u32 {
    flow.skip_to(segment.seq.wrapping_add(segment.payload_len));
    match met {
        Met::AtStart => {
            let protocol = match begins {
                Begins::Tls => PROTOCOL_TLS,
                Begins::Http2 => PROTOCOL_HTTP2,
                Begins::Request | Begins::Other => PROTOCOL_OTHER,
            };
            stats::connection(protocol);
            return protocol;
        }
        Met::Midway => {
            stats::count(Counter::JoinedMidway);
        }
        Met::Before => {}
    }
    PROTOCOL_UNKNOWN
}
