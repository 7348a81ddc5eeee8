//! Heads go up whole: 512 bytes at first, larger pieces until the blank line, 8 KiB at most.

use core::{arch::asm, mem::MaybeUninit};

use aya_ebpf::{
    bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes, programs::SkBuffContext,
};
use observer_common::{
    conn::Conn,
    flow::Flow,
    limits::{HEAD_MAX, PIECE_LARGE, PIECE_SMALL},
};

use crate::maps::ring::{self, Told};

const BLANK_LINE: [u8; 4] = *b"\r\n\r\n";

/// Where the bytes to hand over lie: in the packet and in the turn.
pub(crate) struct Place {
    pub(crate) at: u32,
    pub(crate) len: u32,
    pub(crate) offset: u32,
}

/// Hands over the head's bytes that this packet holds: the first piece as `told.kind`, the
/// rest of a large one as `more`.
#[inline(always)]
pub(crate) fn head(
    ctx: &SkBuffContext,
    mut told: Told,
    more: u8,
    conn: *const Conn,
    flow: &mut Flow,
    place: &Place,
) {
    told.offset = place.offset;
    let first = piece::<PIECE_SMALL>(ctx, &told, conn, flow, place);
    if first == place.len || first == 0 || !flow.wants_head() {
        return;
    }
    told.kind = more;
    told.offset = place.offset + first;
    let rest = Place {
        at: place.at + first,
        len: place.len - first,
        offset: told.offset,
    };
    piece::<PIECE_LARGE>(ctx, &told, conn, flow, &rest);
}

/// Hands over one piece, and returns how long it was.
#[inline(always)]
fn piece<const N: usize>(
    ctx: &SkBuffContext,
    told: &Told,
    conn: *const Conn,
    flow: &mut Flow,
    place: &Place,
) -> u32 {
    if place.offset >= HEAD_MAX {
        flow.head_done = 1;
        return 0;
    }
    let room = HEAD_MAX - place.offset;
    let mut len = place.len;
    if len > room {
        len = room;
    }
    if len > N as u32 {
        len = N as u32;
    }
    let done = ends_with_blank_line(ctx, place.at, len)
        || (N == PIECE_SMALL && blank_line_within(ctx.skb.skb, place.at, len) == 1);
    let told_it = ring::emit::<N>(told, conn, |data| load(ctx, place.at, data, len) as u16);
    flow.pieces += 1;
    let captured = (place.offset + len) as u16;
    if captured > flow.captured {
        flow.captured = captured;
    }
    if done {
        flow.head_done = 1;
    }
    if told_it.is_ok() { len } else { 0 }
}

/// Copies `len` bytes of the packet, at most N, which is a power of two; 0 if it cannot.
#[inline(always)]
fn load<const N: usize>(ctx: &SkBuffContext, at: u32, data: *mut [u8; N], len: u32) -> u32 {
    if len == 0 {
        return 0;
    }
    // The same number, of which the verifier sees that it is 1 to N. 5.10 learns nothing of
    // a lower bound from a comparison, and LLVM would drop one that it knows to hold.
    let len = (opaque(u64::from(len) - 1) & (N as u64 - 1)) + 1;
    // SAFETY: `data` has room for N bytes and `len` is at most that.
    let result = unsafe { bpf_skb_load_bytes(ctx.skb.skb.cast(), at, data.cast(), len as u32) };
    if result == 0 { len as u32 } else { 0 }
}

/// Most heads end with their segment: four bytes tell, without a search.
#[inline(always)]
fn ends_with_blank_line(ctx: &SkBuffContext, at: u32, len: u32) -> bool {
    len >= 4 && ctx.load::<[u8; 4]>((at + len - 4) as usize) == Ok(BLANK_LINE)
}

/// What the search looks at in one go.
const WINDOW: usize = 64;
/// Windows overlap, so that no blank line lies in two of them.
const STEP: u32 = WINDOW as u32 - 4;

/// 1 if a blank line ends within the `len` bytes at `at`.
///
/// A global function: the verifier walks it once, not once for every state it is called in
/// (that was 700,000 instructions). 5.10 takes only the context and numbers as arguments.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn blank_line_within(skb: *mut __sk_buff, at: u32, len: u32) -> u32 {
    if len < WINDOW as u32 || len > PIECE_SMALL as u32 {
        return 0;
    }
    let last = len - WINDOW as u32;
    let mut window = [MaybeUninit::<u8>::uninit(); WINDOW];
    let mut offset = 0;
    while offset < PIECE_SMALL as u32 {
        let here = if offset < last { offset } else { last };
        // SAFETY: the window has room for what is loaded.
        let result = unsafe {
            bpf_skb_load_bytes(
                skb.cast(),
                at + here,
                window.as_mut_ptr().cast(),
                WINDOW as u32,
            )
        };
        if result != 0 {
            return 0;
        }
        // SAFETY: all of it was written by the helper.
        let bytes = unsafe { &*window.as_ptr().cast::<[u8; WINDOW]>() };
        if holds_blank_line(bytes) {
            return 1;
        }
        if here == last {
            return 0;
        }
        offset += STEP;
    }
    0
}

/// Of four bytes in a row one is at a multiple of four: a quarter of them is looked at.
#[inline(always)]
fn holds_blank_line(bytes: &[u8; WINDOW]) -> bool {
    let is = |at: usize| {
        bytes[at] == b'\r'
            && bytes[at + 1] == b'\n'
            && bytes[at + 2] == b'\r'
            && bytes[at + 3] == b'\n'
    };
    let mut at = 3;
    while at + 4 <= WINDOW {
        let probe = bytes[at];
        if (probe == b'\r' && (is(at) || is(at - 2)))
            || (probe == b'\n' && (is(at - 1) || is(at - 3)))
        {
            return true;
        }
        at += 4;
    }
    false
}

/// The same value, of which LLVM knows nothing any more.
#[inline(always)]
fn opaque(mut value: u64) -> u64 {
    // SAFETY: changes nothing.
    unsafe { asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack)) };
    value
}
