//! The end of a head: behind its first blank line.

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_loop, programs::SkBuffContext};
use bytemuck::Zeroable;

use crate::{capture, zeroed::zeroed};

const BLANK_LINE: [u8; 4] = *b"\r\n\r\n";
/// What the search looks at in one go, in words.
const WORDS: usize = 16;
const WINDOW: usize = 4 * WORDS;
/// Windows overlap, so that no blank line lies in two of them.
const STEP: u32 = WINDOW as u32 - 4;
/// How far it searches: behind that a head is found to end only where its segment does.
const SEARCHED: u32 = 2048;

/// Where the head ends that begins at `at`, 0 if it does not within `len` bytes.
#[inline(always)]
pub(crate) fn end(ctx: &SkBuffContext, at: u32, len: u32) -> u32 {
    let within = search(ctx.skb.skb, at, len);
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
    } else if LOOPS {
        search_in_loop(ctx.skb.skb, at, len)
    } else {
        search(ctx.skb.skb, at, len)
    }
}

#[inline(always)]
fn is_last(ctx: &SkBuffContext, at: u32, len: u32) -> bool {
    len >= 4 && ctx.load::<[u8; 4]>((at + len - 4) as usize) == Ok(BLANK_LINE)
}

type Window = [u32; WORDS];

/// Where the first blank line ends within the `len` bytes at `at`, 0 if it does not; one that
/// ends with them may be missed.
///
/// A global function: the verifier walks it once, not once for every state it is called in (that was
/// 700,000 instructions). 5.10 takes only the context and numbers as arguments.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn search(skb: *mut __sk_buff, at: u32, len: u32) -> u32 {
    let mut window = MaybeUninit::<Window>::uninit();
    let window = zeroed(&mut window);
    let mut offset = 0;
    while offset < SEARCHED {
        match look(skb, at, len, offset, window) {
            Looked::Found(end) => return end,
            Looked::Over => return 0,
            Looked::On => offset += STEP,
        }
    }
    0
}

/// What a step of the loop works on.
#[repr(C)]
#[derive(Clone, Copy, Zeroable)]
struct Search {
    skb: *mut __sk_buff,
    window: Window,
    at: u32,
    len: u32,
    found: u32,
    padding: u32,
}

/// The same by `bpf_loop` (5.17): the verifier walks one step of it instead of 35, but it takes more
/// stack than the ingress hook leaves.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn search_in_loop(skb: *mut __sk_buff, at: u32, len: u32) -> u32 {
    let mut search = MaybeUninit::<Search>::uninit();
    let search = zeroed(&mut search);
    (search.skb, search.at, search.len) = (skb, at, len);
    let (steps, context) = (SEARCHED.div_ceil(STEP), (&raw mut *search).cast());
    // SAFETY: the helper calls `step` with an index and the pointer it is given, which outlives
    // the call.
    unsafe { bpf_loop(steps, step as *mut c_void, context, 0) };
    search.found
}

unsafe extern "C" fn step(index: u32, search: *mut Search) -> i64 {
    // SAFETY: what `search_in_loop` gave.
    let search = unsafe { &mut *search };
    let offset = index * STEP;
    match look(
        search.skb,
        search.at,
        search.len,
        offset,
        &mut search.window,
    ) {
        Looked::Found(end) => search.found = end,
        Looked::Over => {}
        Looked::On => return 0,
    }
    1
}

/// What one window says.
enum Looked {
    /// It ends there.
    Found(u32),
    /// It does not.
    Over,
    /// Not yet.
    On,
}

#[inline(always)]
fn look(skb: *mut __sk_buff, at: u32, len: u32, offset: u32, window: &mut Window) -> Looked {
    let (loaded, last) = if len < WINDOW as u32 {
        (len, 0)
    } else {
        (WINDOW as u32, len - WINDOW as u32)
    };
    let here = if offset < last { offset } else { last };
    let (ctx, bytes) = (SkBuffContext::new(skb), bytemuck::cast_mut(window));
    if capture::load::<WINDOW>(&ctx, at + here, bytes, loaded) == 0 {
        return Looked::Over;
    }
    match end_in(window) {
        0 if here == last => Looked::Over,
        0 => Looked::On,
        end => Looked::Found(here + end),
    }
}

/// Of four bytes in a row one is the last of a word: only where that may be of a blank line the four
/// that it can be of are compared, as words.
#[inline(always)]
fn end_in(words: &[u32; WORDS]) -> u32 {
    let mut at = 0;
    while at + 1 < WORDS {
        let word = words[at].to_le();
        let last = (word >> 24) as u8;
        if last == b'\r' || last == b'\n' {
            let both = u64::from(word) | u64::from(words[at + 1].to_le()) << 32;
            let mut behind = 0;
            while behind < 4 {
                if (both >> (8 * behind)) as u32 == u32::from_le_bytes(BLANK_LINE) {
                    return 4 * at as u32 + behind + 4;
                }
                behind += 1;
            }
        }
        at += 1;
    }
    0
}
