//! Responses, one behind the other.

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::Conn,
    event::{RESPONSE, RESPONSE_MORE},
    flow::{FLAG_FOLLOWED, FLAG_FRAMED, FLAG_LENGTH, FLAG_OPAQUE, FLAG_UPGRADED, Flow, is_after},
    frame::{Fed, Framer},
    pipe::Pipe,
};

use super::walk::{self, Run, Step};
use crate::{maps::pipes, packet::Segment};

/// Takes the segment's bytes that are new.
#[inline(always)]
pub(crate) fn follow(
    ctx: &SkBuffContext,
    conn: *mut Conn,
    cookie: u64,
    segment: &Segment,
    now: u64,
) -> Option<()> {
    let pipe = pipes::get(cookie)?;
    // SAFETY: live elements; egress is the only writer of `response`, `responses` and
    // `last_turn`, and of `first_turn` it reads one word.
    let (flow, responses, first_turn) = unsafe {
        let flow = &mut (*conn).response;
        if flow.flags & FLAG_LENGTH != 0 {
            go_on(flow, &mut *pipe);
        }
        (
            flow,
            &mut (*pipe).responses,
            (&raw const (*pipe).first_turn).read_volatile(),
        )
    };
    if flow.flags & FLAG_OPAQUE != 0 {
        return None;
    }
    // SAFETY: a live element; egress is its only writer.
    let last_turn = unsafe { (*pipe).last_turn };
    if is_after(first_turn, flow.turn) {
        // None of those it is about is answered yet: what was followed before is over.
        responses.within = 0;
    }
    // Its answer began before anybody looked for its length.
    let too_late = flow.turn == first_turn && last_turn != flow.turn;
    if !too_late && walk::begin(responses, flow, segment) {
        walk::run(ctx, conn, pipe, cookie, now, step);
    }
    if too_late || responses.at != responses.end {
        flow.flags |= FLAG_OPAQUE;
    }
    Some(())
}

/// Follows by its framing what was followed by its length so far.
#[inline(always)]
fn go_on(flow: &mut Flow, pipe: &mut Pipe) {
    let left = match flow.word {
        u64::MAX => u64::MAX,
        len => len.saturating_sub(flow.bytes),
    };
    flow.flags &= !FLAG_LENGTH;
    pipe.framer = Framer::in_body(left);
    pipe.last_turn = flow.turn;
    let walk = &mut pipe.responses;
    // Its head is told.
    (walk.within, walk.in_head, walk.told) = (u32::from(left != 0), 0, 1);
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
    // SAFETY: live elements; egress is the only writer of these, and of `request.turn` it
    // reads one word.
    let (flow, asked, pipe) = unsafe {
        (
            &mut (*run.conn).response,
            (&raw const (*run.conn).request.turn).read_volatile(),
            &mut *run.pipe,
        )
    };
    if pipe.responses.at == pipe.responses.end {
        if pipe.responses.in_head == 1 && pipe.responses.uncounted != pipe.responses.at {
            tell(run, pipe, false);
        }
        // Of a body nobody is told before its end.
        let walk = &mut pipe.responses;
        flow.count(walk.at.wrapping_sub(walk.uncounted), run.now);
        walk.uncounted = walk.at;
        return Some(Step::Stop);
    }
    if pipe.responses.within == 0 {
        let turn = flow.turn.wrapping_add(1);
        if asked.wrapping_sub(flow.turn).cast_signed() <= 0 {
            return None;
        }
        // SAFETY: of `heads` egress reads one word.
        let heads = unsafe { (&raw const pipe.heads).read_volatile() };
        pipe.bodiless = (heads >> (turn & 63)) as u32 & 1;
        pipe.last_turn = turn;
        pipe.framer = Framer::default();
        pipe.responses.within = 1;
        pipe.responses.in_head = 1;
        pipe.responses.told = 0;
        flow.flags &= !(FLAG_FOLLOWED | FLAG_FRAMED | FLAG_LENGTH);
        flow.begin(turn, flow.next_seq, run.now);
    }
    let walk = &mut pipe.responses;
    let unread = pipe.framer.opaque();
    if unread != 0 {
        let passed = walk.pass(unread);
        let fed = pipe.framer.pass(passed);
        return after(run, pipe, fed);
    }
    if run.stride(walk).is_some_and(|word| pipe.framer.skims(word)) {
        walk.at += 8;
        return after(run, pipe, Fed::More);
    }
    let byte = run.byte(walk)?;
    walk.at += 1;
    let fed = pipe.framer.feed(byte, pipe.bodiless == 1);
    after(run, pipe, fed)
}

/// Tells what user space waits for: a head, and the end.
#[inline(always)]
fn after(run: &Run, pipe: &mut Pipe, fed: Fed) -> Option<Step> {
    let ends = fed == Fed::End;
    let tells = match fed {
        Fed::Broken => return None,
        Fed::More => pipe.responses.in_head == 1 && walk::is_piece(&pipe.responses),
        Fed::Head | Fed::Interim | Fed::End => true,
    };
    if tells {
        tell(run, pipe, ends);
    }
    if fed == Fed::Head {
        pipe.responses.in_head = 0;
        if pipe.framer.is_upgrade() {
            // SAFETY: a live element; egress is the only writer of `response`.
            unsafe { (*run.conn).response.flags |= FLAG_UPGRADED };
        }
    }
    if ends {
        pipe.responses.within = 0;
    }
    Some(Step::On)
}

#[inline(always)]
fn tell(run: &Run, pipe: &mut Pipe, end: bool) {
    // SAFETY: a live element; egress is the only writer of `response`.
    let flow = unsafe { &mut (*run.conn).response };
    run.tell(&mut pipe.responses, flow, RESPONSE, RESPONSE_MORE, end);
}
