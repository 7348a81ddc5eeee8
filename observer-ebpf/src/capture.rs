//! Heads go up whole: 512 bytes at first, larger pieces until the blank line, 8 KiB at most.

use core::arch::asm;

use aya_ebpf::{helpers::generated::bpf_skb_load_bytes, programs::SkBuffContext};
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
    let room = HEAD_MAX.saturating_sub(place.offset);
    let mut len = place.len;
    if len > room {
        len = room;
    }
    if len > N as u32 {
        len = N as u32;
    }
    // Most heads end with their segment: four bytes tell, without a search.
    let tail = ctx.load::<[u8; 4]>((place.at + len).wrapping_sub(4) as usize);
    let mut done = len >= 4 && tail == Ok(BLANK_LINE);
    let told_it = ring::emit::<N>(told, conn, |data| {
        let loaded = load(ctx, place.at, data, len);
        if !done && N == PIECE_SMALL {
            done = holds_blank_line(data, loaded);
        }
        loaded as u16
    });
    flow.captured = (place.offset + len) as u16;
    if done {
        flow.head_done = 1;
    }
    if told_it.is_ok() { len } else { 0 }
}

/// Copies `len` bytes of the packet; 0 if it cannot.
#[inline(always)]
fn load<const N: usize>(ctx: &SkBuffContext, at: u32, data: *mut [u8; N], len: u32) -> u32 {
    // LLVM would drop a bounds check that it knows to hold; the verifier knows what it sees.
    let len = opaque(u64::from(len));
    if len == 0 || len > N as u64 {
        return 0;
    }
    // SAFETY: `data` has room for N bytes and `len` is at most that.
    let result = unsafe { bpf_skb_load_bytes(ctx.skb.skb.cast(), at, data.cast(), len as u32) };
    if result == 0 { len as u32 } else { 0 }
}

/// Whether a blank line ends within the first `len` bytes. Of four bytes in a row one is at
/// a multiple of four, so a quarter of them is looked at.
///
/// No early return, and no position kept: two states a round is what the verifier can merge.
#[inline(always)]
fn holds_blank_line<const N: usize>(data: *const [u8; N], len: u32) -> bool {
    let bytes = data.cast::<u8>();
    let mut found = 0;
    let mut at = 3;
    while at + 4 <= N {
        // SAFETY: `at - 3` to `at + 3` lie within `data`.
        unsafe {
            let probe = *bytes.add(at);
            if probe == b'\r' || probe == b'\n' {
                found |= ends(bytes, at - 3, len)
                    | ends(bytes, at - 2, len)
                    | ends(bytes, at - 1, len)
                    | ends(bytes, at, len);
            }
        }
        at += 4;
    }
    found != 0
}

/// 1 if a blank line begins at `at` and ends within `len`: what lies beyond is a former
/// event's. Arithmetic that LLVM must not turn into the branches it would prefer.
///
/// # Safety
/// `at + 4` bytes must be readable at `bytes`.
#[inline(always)]
unsafe fn ends(bytes: *const u8, at: usize, len: u32) -> u64 {
    // SAFETY: the caller's promise. One by one: the verifier wants aligned loads.
    let four = unsafe {
        [
            *bytes.add(at),
            *bytes.add(at + 1),
            *bytes.add(at + 2),
            *bytes.add(at + 3),
        ]
    };
    let differs = opaque(u64::from(
        u32::from_ne_bytes(four) ^ u32::from_ne_bytes(BLANK_LINE),
    ));
    let beyond = opaque(u64::from(len)).wrapping_sub(at as u64 + 4) >> 63;
    (differs.wrapping_sub(1) >> 63) & (beyond ^ 1)
}

/// The same value, of which LLVM knows nothing any more.
#[inline(always)]
fn opaque(mut value: u64) -> u64 {
    // SAFETY: changes nothing.
    unsafe { asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack)) };
    value
}
