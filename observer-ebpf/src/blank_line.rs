//! The end of a head: behind its first blank line.

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_loop, programs::SkBuffContext};
use bytemuck::Zeroable;

use crate::{capture, zeroed::zeroed};

const BLANK_LINE: [u8; 4] = *b"\r\n\r\n";
/// What the search looks at in one go.
const WINDOW: usize = 64;
/// Windows overlap, so that no blank line lies in two of them.
const STEP: u32 = WINDOW as u32 - 4;
/// How far it searches: behind that a head is found to end only where its segment does.
const SEARCHED: u32 = 2048;

/// Where the head ends that begins at `at`, 0 if it does not within `len` bytes.
#[inline(always)]
pub(crate) fn end<const LOOPS: bool>(ctx: &SkBuffContext, at: u32, len: u32) -> u32 {
    let within = within::<LOOPS>(ctx, at, len);
    if within == 0 && is_last(ctx, at, len) {
        len
    } else {
        within
    }
}

/// The same for where nothing follows a head in its segment but its body: most end with their
/// segment, which four bytes tell without a search.
#[inline(always)]
pub(crate) fn end_likely_last<const LOOPS: bool>(ctx: &SkBuffContext, at: u32, len: u32) -> u32 {
    if is_last(ctx, at, len) {
        len
    } else {
        within::<LOOPS>(ctx, at, len)
    }
}

#[inline(always)]
fn is_last(ctx: &SkBuffContext, at: u32, len: u32) -> bool {
    len >= 4 && ctx.load::<[u8; 4]>((at + len - 4) as usize) == Ok(BLANK_LINE)
}

/// Where the first blank line ends within the `len` bytes at `at`, 0 if it does not; one that
/// ends with them may be missed.
#[inline(always)]
fn within<const LOOPS: bool>(ctx: &SkBuffContext, at: u32, len: u32) -> u32 {
    if LOOPS {
        search_in_loop(ctx.skb.skb, at, len)
    } else {
        search(ctx.skb.skb, at, len)
    }
}

/// What is searched, what of it was looked at last, and what was found.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
struct Search {
    skb: *mut __sk_buff,
    window: [u64; WINDOW / 8],
    at: u32,
    len: u32,
    found: u32,
    padding: u32,
}

/// With `bpf_loop`, of which the verifier walks a single step. A global function: it walks that once,
/// not once for every state it is called in.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn search_in_loop(skb: *mut __sk_buff, at: u32, len: u32) -> u32 {
    let mut search = MaybeUninit::uninit();
    let search = begin(&mut search, skb, at, len);
    let (steps, context) = (SEARCHED.div_ceil(STEP), (&raw mut *search).cast());
    // SAFETY: the helper calls `step` with an index and the pointer it is given, which outlives
    // the call.
    unsafe { bpf_loop(steps, step as *mut c_void, context, 0) };
    search.found
}

unsafe extern "C" fn step(index: u32, search: *mut Search) -> i64 {
    // SAFETY: what `search_in_loop` gave.
    i64::from(look(unsafe { &mut *search }, index * STEP))
}

/// Before 5.17, which has no `bpf_loop`: the verifier walks 75,000 instructions of it. 5.10 takes only
/// the context and numbers as arguments.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn search(skb: *mut __sk_buff, at: u32, len: u32) -> u32 {
    let mut search = MaybeUninit::uninit();
    let search = begin(&mut search, skb, at, len);
    let mut offset = 0;
    while offset < SEARCHED && !look(search, offset) {
        offset += STEP;
    }
    search.found
}

#[inline(always)]
fn begin(search: &mut MaybeUninit<Search>, skb: *mut __sk_buff, at: u32, len: u32) -> &mut Search {
    let search = zeroed(search);
    (search.skb, search.at, search.len) = (skb, at, len);
    search
}

/// Looks at one window. True if the search is over.
#[inline(always)]
fn look(search: &mut Search, offset: u32) -> bool {
    let (len, last) = if search.len < WINDOW as u32 {
        (search.len, 0)
    } else {
        (WINDOW as u32, search.len - WINDOW as u32)
    };
    let here = if offset < last { offset } else { last };
    let ctx = SkBuffContext::new(search.skb);
    let window = bytemuck::cast_mut(&mut search.window);
    if capture::load::<WINDOW>(&ctx, search.at + here, window, len) == 0 {
        return true;
    }
    let end = end_in(window);
    if end != 0 {
        search.found = here + end;
    }
    end != 0 || here == last
}

/// Of four bytes in a row one is at a multiple of four: a quarter of them is looked at.
#[inline(always)]
fn end_in(bytes: &[u8; WINDOW]) -> u32 {
    let is = |at: usize| {
        bytes[at] == b'\r'
            && bytes[at + 1] == b'\n'
            && bytes[at + 2] == b'\r'
            && bytes[at + 3] == b'\n'
    };
    let mut at = 3;
    while at + 4 <= WINDOW {
        let probe = bytes[at];
        let begins = if probe == b'\r' && is(at - 2) {
            at - 2
        } else if probe == b'\r' && is(at) {
            at
        } else if probe == b'\n' && is(at - 3) {
            at - 3
        } else if probe == b'\n' && is(at - 1) {
            at - 1
        } else {
            WINDOW
        };
        if begins != WINDOW {
            return begins as u32 + 4;
        }
        at += 4;
    }
    0
}
