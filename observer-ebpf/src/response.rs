//! Server to client: an answer's bytes.

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::{Conn, PROTOCOL_HTTP, Tuple},
    event::{RESPONSE, RESPONSE_MORE},
    flow::{
        FLAG_FIN, FLAG_FOLLOWED, FLAG_FRAMED, FLAG_LENGTH, FLAG_PIPELINED, FLAG_RST, FLAG_UPGRADED,
        Flow, is_after,
    },
    limits::FIRST_TURNS,
};

use crate::{
    adopt,
    answer::{self, Answer},
    blank_line,
    capture::{self, Place},
    clock,
    http::{self, Announces, First},
    maps::{conns, pending, ports, ring::Told},
    midway,
    packet::{self, Segment, Server},
    pipeline::{self, alone::Bytes},
    retransmits,
    sock::{self, CLOSE, LISTEN, Sock},
    zeroed::zeroed,
};

/// The egress hook. With `PIPELINES` it tells apart answers that follow each other.
#[inline(always)]
pub(crate) fn on_egress<const PIPELINES: bool>(ctx: &SkBuffContext) -> Option<()> {
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
        return if PIPELINES {
            midway::meet_apart(ctx, &sock, port, &segment, cookie)
        } else {
            midway::meet(ctx, &sock, port, &segment, cookie)
        };
    };
    if segment.payload_len != 0 {
        payload::<PIPELINES>(ctx, conn, cookie, port, &segment);
    }
    if segment.flags != 0 {
        // SAFETY: a live element; egress is the only writer of `response`.
        let response = unsafe { &mut (*conn).response };
        if segment.payload_len == 0 && segment.flags & response.flags & FLAG_FIN != 0 {
            retransmits::on_fin(port);
        }
        // Behind the bytes: whoever looks and finds the end must find them, too.
        response.end(segment.flags, clock::now());
    }
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
    unsafe { (*conn).response.end(FLAG_RST, clock::now()) };
    Some(())
}

/// What the request begins with.
#[inline(always)]
fn asked(conn: *const Conn) -> u64 {
    // SAFETY: a live element; of `request.word` egress reads one word.
    unsafe { (&raw const (*conn).request.word).read_volatile() }
}

/// Follows an answer by its length, from its head on.
#[inline(always)]
fn follow_length(flow: &mut Flow, answer: Option<Answer>) {
    if let Some(answer) = answer {
        flow.flags |= FLAG_FOLLOWED | FLAG_LENGTH;
        flow.word = answer.len;
    }
    if flow.flags & FLAG_LENGTH != 0 && flow.bytes >= flow.word {
        flow.flags |= FLAG_FRAMED;
    }
}

/// The last segment of an answer is seldom longer, unless it is the answer.
const SHORT: u32 = 4096;

/// Counts a segment's payload; the first of a turn is an event.
#[inline(always)]
fn payload<const PIPELINES: bool>(
    ctx: &SkBuffContext,
    conn: *mut Conn,
    cookie: u64,
    port: u16,
    segment: &Segment,
) -> Option<()> {
    // SAFETY: a live element; egress is the only writer of `response`, and of `request`,
    // `protocol` and `ack` it reads words.
    let (flow, turn, flags, protocol, acknowledged) = unsafe {
        (
            &mut (*conn).response,
            (&raw const (*conn).request.turn).read_volatile(),
            (&raw const (*conn).request.flags).read_volatile(),
            (&raw const (*conn).protocol).read_volatile(),
            (&raw const (*conn).ack.seq).read_volatile(),
        )
    };
    if turn == 0 || protocol != PROTOCOL_HTTP {
        return None;
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
        retransmits::on_payload(ctx, port);
        return None;
    }
    let now = clock::sent(ctx);
    if PIPELINES && flags & FLAG_PIPELINED != 0 {
        return pipeline::responses::follow(ctx, conn, cookie, segment, now);
    }
    let skip = segment.payload_len.saturating_sub(new);
    let first = flow.turn != turn;
    if first {
        if flow.flags & (FLAG_FOLLOWED | FLAG_LENGTH) == FLAG_FOLLOWED {
            pipeline::alone::forget(cookie);
        }
        flow.flags &= !(FLAG_FOLLOWED | FLAG_FRAMED | FLAG_LENGTH);
        flow.begin(turn, segment.seq.wrapping_add(skip), now);
    }
    // Bytes that we missed before a turn are not that turn's.
    let new = flow.new_bytes(segment.seq, segment.payload_len);
    let mut body = if !first && flow.is_bare_head() {
        segment.payload_at + skip
    } else {
        0
    };
    let offset = segment.seq.wrapping_add(skip).wrapping_sub(flow.start_seq);
    let place = Place {
        at: segment.payload_at + skip,
        len: segment.payload_len - skip,
        offset,
    };
    flow.count(new, now);
    let answer = if PIPELINES && first {
        answer::read(ctx, &place, First::is_head(asked(conn)))
    } else {
        None
    };
    if PIPELINES {
        follow_length(flow, answer);
    }
    if !PIPELINES || (flow.flags & FLAG_FOLLOWED == 0 && place.len <= SHORT) {
        // Not of each: the last bytes of a long segment are in the last of its fragments.
        flow.word = http::latest(ctx, flow.word, &place);
    }
    if flow.wants_head() {
        let kind = if first { RESPONSE } else { RESPONSE_MORE };
        let told = Told {
            cookie,
            at_ns: now,
            kind,
            offset,
        };
        let asked = asked(conn);
        let announces = if answer.is_some() && asked != http::CONNECT {
            Announces::Final
        } else {
            http::announces(ctx, place.at, asked)
        };
        if announces == Announces::Upgrade {
            flow.flags |= FLAG_UPGRADED;
        }
        let mut of_head = Place { ..place };
        let end = match answer {
            Some(answer) => {
                // Its body goes nowhere.
                of_head.len = answer.head;
                answer.head
            }
            None => blank_line::end_likely_last::<PIPELINES>(ctx, place.at, place.len),
        };
        capture::head(ctx, told, RESPONSE_MORE, conn, flow, &of_head, end);
        if announces == Announces::Interim {
            flow.head_done = 0;
        } else if end != 0 && end < place.len {
            body = place.at + end;
        }
    }
    if PIPELINES && flow.flags & FLAG_LENGTH == 0 {
        let bytes = if first && turn <= FIRST_TURNS {
            Bytes::Head
        } else if flow.flags & (FLAG_FOLLOWED | FLAG_FRAMED) == FLAG_FOLLOWED {
            Bytes::More
        } else if body != 0 && flow.flags & FLAG_FOLLOWED == 0 {
            Bytes::Body(body)
        } else {
            return None;
        };
        pipeline::alone::follow(ctx, conn, cookie, &place, bytes);
    }
    Some(())
}
