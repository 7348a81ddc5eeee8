//! An answer to a request that waited for the one before it, followed by its framing for one of
//! two reasons.
//!
//! In its first turns a connection may yet ask before it has this answer (apt sends one request,
//! and nine more when its answer begins): what comes behind it is then told apart.
//!
//! A chunked answer (RFC 9112 7.1) has no end but its last chunk. Whether it is chunked says its
//! head, which user space reads: what looks like it is followed, and user space asks where it is.

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::Conn,
    flow::{FLAG_FOLLOWED, FLAG_FRAMED, FLAG_HAS_PIPE},
    frame::{Fed, Framer},
    limits::FIRST_TURNS,
    pipe::Pipe,
};

use super::walk::{self, Run, Step};
use crate::{capture::Place, http::First, maps::pipes};

/// What a packet's bytes are to an answer.
#[derive(Clone, Copy)]
pub(crate) enum Bytes {
    /// It begins with them.
    Head,
    /// Its body begins in them, at this place of the packet.
    Body(u32),
    /// They go on with what is followed.
    More,
}

/// Takes bytes of an answer.
#[inline(always)]
pub(crate) fn follow(
    ctx: &SkBuffContext,
    conn: *mut Conn,
    cookie: u64,
    place: &Place,
    bytes: Bytes,
) -> Option<()> {
    // SAFETY: a live element; egress is the only writer of `response`.
    let flow = unsafe { &mut (*conn).response };
    let end = place.at + place.len;
    let (pipe, at) = match bytes {
        Bytes::Head => (pipes::get_or_create(cookie)?, place.at),
        Bytes::Body(at) => {
            // In the first turns it was followed from its head, which was not understood.
            if flow.turn <= FIRST_TURNS || looks_chunked(First::read(ctx, at, end - at)) == 0 {
                return None;
            }
            (pipes::get_or_create(cookie)?, at)
        }
        Bytes::More => (pipes::get(cookie)?, place.at),
    };
    // SAFETY: a live element; egress is the only writer of these, and of `request.word` it
    // reads one word.
    let (pipe_ref, asked) = unsafe {
        let asked = (&raw const (*conn).request.word).read_volatile();
        (&mut *pipe, asked)
    };
    match bytes {
        Bytes::Head => {
            pipe_ref.framer = Framer::default();
            pipe_ref.bodiless = u32::from(First::is_head(asked));
        }
        Bytes::Body(_) => pipe_ref.framer = Framer::at_chunks(),
        // Most packets of a long body need no walk.
        Bytes::More if pipe_ref.framer.opaque() > u64::from(place.len) => {
            pipe_ref.framer.pass(place.len.into());
            return None;
        }
        Bytes::More => {}
    }
    flow.flags |= FLAG_FOLLOWED | FLAG_HAS_PIPE;
    pipe_ref.last_turn = flow.turn;
    let walk = &mut pipe_ref.responses;
    // Its head is told: should requests not wait any more, it is followed on from here.
    (walk.within, walk.in_head, walk.told) = (1, 0, 1);
    (walk.at, walk.end, walk.uncounted) = (at, end, end);
    walk.window_len = 0;
    walk::run(ctx, conn, pipe, cookie, 0, step);
    if flow.flags & FLAG_FOLLOWED == 0 || flow.flags & FLAG_FRAMED != 0 {
        // Idle connections take no place in the table.
        flow.flags &= !FLAG_HAS_PIPE;
        pipes::remove(cookie);
    }
    Some(())
}

/// The answer was given up before its last chunk.
#[inline(always)]
pub(crate) fn forget(cookie: u64) {
    if let Some(pipe) = pipes::get(cookie) {
        // SAFETY: a live element; egress is the only writer of this.
        unsafe { (*pipe).responses.within = 0 };
    }
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
    // SAFETY: live elements; egress is the only writer of these.
    let (flow, pipe): (_, &mut Pipe) = unsafe { (&mut (*run.conn).response, &mut *run.pipe) };
    let walk = &mut pipe.responses;
    if walk.at == walk.end {
        return Some(Step::Stop);
    }
    let fed = match pipe.framer.opaque() {
        0 if run.stride(walk).is_some_and(|word| pipe.framer.skims(word)) => {
            walk.at += 8;
            Fed::More
        }
        0 => {
            let byte = run.byte(walk)?;
            walk.at += 1;
            pipe.framer.feed(byte, pipe.bodiless == 1)
        }
        unread => {
            let passed = walk.pass(unread);
            pipe.framer.pass(passed)
        }
    };
    match fed {
        Fed::More | Fed::Head | Fed::Interim => return Some(Step::On),
        Fed::End => flow.flags |= FLAG_FRAMED,
        Fed::Broken => flow.flags &= !FLAG_FOLLOWED,
    }
    walk.within = 0;
    Some(Step::Stop)
}

/// 1 if a body begins like a chunk: a size in hexadecimal digits and what may follow it, as
/// far as eight bytes tell.
#[inline(always)]
fn looks_chunked(first: First) -> u32 {
    begins_chunk(first.word, first.count)
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn begins_chunk(word: u64, count: u32) -> u32 {
    let mut i = 0;
    while i < 8 {
        let byte = (word >> (56 - 8 * i)) as u8;
        if i == count {
            return 1;
        }
        if !byte.is_ascii_hexdigit() {
            return u32::from(i != 0 && matches!(byte, b'\r' | b'\n' | b';' | b' '));
        }
        i += 1;
    }
    1
}
