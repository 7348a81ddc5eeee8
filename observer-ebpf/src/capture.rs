//! Heads go up whole: 512 bytes at first, larger pieces until the blank line, 8 KiB at most.

use aya_ebpf::{helpers::generated::bpf_skb_load_bytes, programs::SkBuffContext};
use observer_common::{
    conn::Conn,
    flow::Flow,
    limits::{HEAD_MAX, PIECE_LARGE, PIECE_SMALL, PIECES_MAX},
};

use crate::{
    insn::opaque,
    maps::ring::{self, Told},
};

/// Where the bytes to hand over lie: in the packet and in the turn.
pub(crate) struct Place {
    pub(crate) at: u32,
    pub(crate) len: u32,
    pub(crate) offset: u32,
}

/// Hands over the head's bytes that this packet holds: the first piece as `told.kind`, the
/// rest of a large one as `more`. `end` is where the head ends within them, 0 if it does not.
#[inline(always)]
pub(crate) fn head(
    ctx: &SkBuffContext,
    mut told: Told,
    more: u8,
    conn: *const Conn,
    flow: &mut Flow,
    place: &Place,
    end: u32,
) {
    told.offset = place.offset;
    let first = piece::<PIECE_SMALL>(ctx, &told, conn, flow, place, end);
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
    piece::<PIECE_LARGE>(ctx, &told, conn, flow, &rest, end.saturating_sub(first));
}

/// Hands over bytes that overtook the first ones of their turn.
#[inline(always)]
pub(crate) fn ahead(
    ctx: &SkBuffContext,
    told: &Told,
    conn: *const Conn,
    flow: &mut Flow,
    place: &Place,
) {
    if flow.pieces >= PIECES_MAX || place.offset >= HEAD_MAX {
        return;
    }
    flow.pieces += 1;
    let len = at_most(place.len, HEAD_MAX - place.offset, PIECE_LARGE as u32);
    // A lost one is counted; the head then has a gap.
    let _ = ring::emit::<PIECE_LARGE>(told, conn, |data| load(ctx, place.at, data, len) as u16);
}

/// Hands over one piece, and returns how long it was.
#[inline(always)]
fn piece<const N: usize>(
    ctx: &SkBuffContext,
    told: &Told,
    conn: *const Conn,
    flow: &mut Flow,
    place: &Place,
    end: u32,
) -> u32 {
    if place.offset >= HEAD_MAX {
        flow.head_done = 1;
        return 0;
    }
    let len = at_most(place.len, HEAD_MAX - place.offset, N as u32);
    // Behind a gap nothing is done: what fills it is wanted.
    let gapless = place.offset <= u32::from(flow.captured);
    if gapless && end != 0 && end <= len {
        flow.head_done = 1;
    }
    flow.pieces += 1;
    let captured = (place.offset + len) as u16;
    if gapless && captured > flow.captured {
        flow.captured = captured;
    }
    let told_it = ring::emit::<N>(told, conn, |data| load(ctx, place.at, data, len) as u16);
    if told_it.is_ok() { len } else { 0 }
}

#[inline(always)]
fn at_most(mut len: u32, room: u32, piece: u32) -> u32 {
    if len > room {
        len = room;
    }
    if len > piece {
        len = piece;
    }
    len
}

/// Copies `len` bytes of the packet, at most N, which is a power of two; 0 if it cannot.
#[inline(always)]
pub(crate) fn load<const N: usize>(
    ctx: &SkBuffContext,
    at: u32,
    data: *mut [u8; N],
    len: u32,
) -> u32 {
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
