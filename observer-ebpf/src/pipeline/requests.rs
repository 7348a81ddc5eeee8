//! Requests without bodies, one behind the other.

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::Conn,
    event::{REQUEST, REQUEST_MORE},
    flow::FLAG_OPAQUE,
    frame::{Lines, has_line_feed},
    loss::Counter,
    pipe::{BROKEN, OUTSTANDING},
};

use super::walk::{self, Run, Step};
use crate::{
    clock,
    http::First,
    maps::{pipes, stats},
    packet::Segment,
};

/// Takes the segment's bytes that are new.
#[inline(always)]
pub(crate) fn follow(
    ctx: &SkBuffContext,
    conn: *mut Conn,
    cookie: u64,
    segment: &Segment,
) -> Option<()> {
    let pipe = pipes::get(cookie)?;
    // SAFETY: live elements; ingress is the only writer of `request` and of `requests`.
    let (flow, requests) = unsafe { (&mut (*conn).request, &mut (*pipe).requests) };
    if requests.within != BROKEN {
        if flow.new_bytes(segment.seq, segment.payload_len) == 0 {
            return None;
        }
        if walk::begin(requests, flow, segment) {
            walk::run(ctx, conn, pipe, cookie, clock::now(), step);
        } else {
            walk::begin_at(requests, segment, 0);
        }
        if requests.at == requests.end {
            return Some(());
        }
        flow.flags |= FLAG_OPAQUE;
        // Of a head under way user space knows.
        requests.in_head = requests.within;
        requests.within = BROKEN;
    } else {
        walk::begin_at(requests, segment, 0);
    }
    walk::run(ctx, conn, pipe, cookie, 0, lose);
    flow.next_seq = segment.seq.wrapping_add(segment.payload_len);
    None
}

unsafe extern "C" fn lose(_index: u32, run: *mut Run) -> i64 {
    // SAFETY: what `walk::run` was given.
    match lose_on(unsafe { &*run }) {
        Some(Step::On) => 0,
        Some(Step::Stop) | None => 1,
    }
}

/// Counts what cannot be told apart: a request for each head that ends, whatever its place in the
/// stream.
#[inline(always)]
fn lose_on(run: &Run) -> Option<Step> {
    // SAFETY: a live element; ingress is the only writer of these.
    let pipe = unsafe { &mut *run.pipe };
    let walk = &mut pipe.requests;
    if walk.at == walk.end {
        return Some(Step::Stop);
    }
    if pipe.lines.in_line() && run.stride(walk).is_some_and(|word| !has_line_feed(word)) {
        walk.at += 8;
        return Some(Step::On);
    }
    let byte = run.byte(walk)?;
    walk.at += 1;
    if pipe.lines.feed(byte) {
        // Another blank line would be no head's end.
        pipe.lines = Lines::default();
        if walk.in_head == 0 {
            stats::count(Counter::PipelinedOpaque);
        }
        walk.in_head = 0;
    }
    Some(Step::On)
}

unsafe extern "C" fn step(_index: u32, run: *mut Run) -> i64 {
    // SAFETY: what `walk::run` was given.
    match step_on(unsafe { &*run }) {
        Some(Step::On) => 0,
        Some(Step::Stop) | None => 1,
    }
}

#[inline(always)]
fn step_on(run: &Run) -> Option<Step> {
    // SAFETY: live elements; ingress is the only writer of these, and of `response.turn` it
    // reads one word.
    let (flow, answered, pipe) = unsafe {
        (
            &mut (*run.conn).request,
            (&raw const (*run.conn).response.turn).read_volatile(),
            &mut *run.pipe,
        )
    };
    let walk = &mut pipe.requests;
    if walk.at == walk.end {
        if walk.uncounted != walk.at {
            run.tell(walk, flow, REQUEST, REQUEST_MORE, false);
        }
        return Some(Step::Stop);
    }
    let byte = run.byte(walk)?;
    if walk.within == 0 {
        if byte == b'\r' || byte == b'\n' {
            // An empty line before a request (RFC 9112 2.2).
            walk.at += 1;
            walk.uncounted = walk.at;
            flow.next_seq = flow.next_seq.wrapping_add(1);
            return Some(Step::On);
        }
        let turn = flow.turn.wrapping_add(1);
        if !First::is_bodiless(u64::from(byte) << 56) {
            return None;
        }
        if turn.wrapping_sub(answered) > OUTSTANDING {
            // Whether it is a HEAD is no longer known by the time it is answered.
            flow.flags |= FLAG_OPAQUE;
        }
        let bit = 1 << (turn & 63);
        pipe.heads = if byte == b'H' {
            pipe.heads | bit
        } else {
            pipe.heads & !bit
        };
        flow.begin(turn, flow.next_seq, run.now);
        walk.within = 1;
        walk.in_head = 1;
        walk.told = 0;
        pipe.lines = Lines::default();
    }
    if pipe.lines.in_line() && run.stride(walk).is_some_and(|word| !has_line_feed(word)) {
        walk.at += 8;
    } else {
        walk.at += 1;
        if pipe.lines.feed(byte) {
            run.tell(walk, flow, REQUEST, REQUEST_MORE, false);
            walk.within = 0;
            return Some(Step::On);
        }
    }
    if walk::is_piece(walk) {
        run.tell(walk, flow, REQUEST, REQUEST_MORE, false);
    }
    Some(Step::On)
}
