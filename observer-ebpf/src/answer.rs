//! How long an answer is, by a head that is whole in its first segment: most are. What is unusual
//! in any way is left to `observer_common::frame`, which takes its bytes one by one.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::__sk_buff, programs::SkBuffContext};

use crate::{
    capture::{self, Place},
    insn::opaque,
    zeroed::zeroed,
};

/// Where an answer ends.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    /// Bytes of its head.
    pub(crate) head: u32,
    /// Bytes of it all; `u64::MAX` if it ends with the connection.
    pub(crate) len: u64,
}

/// Reads the head of an answer that begins there; `bodiless` if a HEAD asked for it. `None` where
/// that does not tell.
#[inline(always)]
pub(crate) fn read(ctx: &SkBuffContext, place: &Place, bodiless: bool) -> Option<Answer> {
    // Two functions, one after the other: the stack has no room for one within the other.
    let told = head_of_answer(ctx.skb.skb, place.at, place.len);
    if told == 0 {
        return None;
    }
    let (head, value) = (told >> 32 & 0xffff, told as u32);
    let body = if value == 0 {
        // All until the connection ends.
        u64::MAX - head
    } else {
        match number_at(ctx.skb.skb, place.at + value, place.len - value) {
            0 => return None,
            number => number - 1,
        }
    };
    let has_body = !bodiless && told & NO_BODY == 0;
    Some(Answer {
        head: head as u32,
        len: if has_body { head + body } else { head },
    })
}

/// In what [`head_of_answer`] says: its status has no body.
const NO_BODY: u64 = 1 << 63;
/// What is loaded at one time.
const WINDOW: usize = 128;
/// Bytes of it in which line ends are looked for: the rest may be a line's beginning.
const STEP: u32 = 112;
/// Heads of ordinary answers are not longer.
const STEPS: u32 = 4;
/// Line ends in so many bytes are bits of one word.
const HALF: u32 = 64;
/// Lines that may end there; the shortest fields have some more bytes.
const LINES: u32 = 8;
/// `HTTP/1.1 200`.
const STATUS_LINE: u32 = 12;
/// `Content-Length:`.
const NAME: u32 = 15;
/// Digits of a Content-Length.
const DIGITS: u32 = 14;

const VERSION: u64 = u64::from_le_bytes(*b"HTTP/1.\0");
const CONTENT: u64 = u64::from_le_bytes(*b"content-");
const LENGTH: u64 = u64::from_le_bytes(*b"length\0\0");
const TRANSFER: u64 = u64::from_le_bytes(*b"transfer");
const SEVEN: u64 = u64::MAX >> 8;
const SIX: u64 = u64::MAX >> 16;
/// Makes letters small, and leaves `-` and `:` as they are.
const SMALL: u64 = u64::from_le_bytes([0x20; 8]);

/// Bytes of the packet, as little-endian words.
type Words = [u64; WINDOW / 8];

/// Loads bytes from there on; false if there is none.
#[inline(always)]
fn load(skb: *mut __sk_buff, at: u32, left: u32, words: &mut Words) -> bool {
    let count = if left < WINDOW as u32 {
        left
    } else {
        WINDOW as u32
    };
    let ctx = SkBuffContext::new(skb);
    let to = (&raw mut *words).cast::<[u8; WINDOW]>();
    count != 0 && capture::load(&ctx, at, to, count) == count
}

/// Eight bytes from `offset` on, which is at most 120, the first as the lowest.
#[inline(always)]
fn word(words: &Words, offset: u32) -> u64 {
    // What is not aligned, the verifier does not take from the stack.
    let (at, bits) = ((offset / 8) as usize, 8 * (offset % 8));
    let low = words[at & 15].to_le();
    let high = words[(at + 1) & 15].to_le();
    low >> bits | (high << 1) << (63 - bits)
}

/// The head's length from bit 32 on, and where the value of Content-Length is, or 0; [`NO_BODY`]; 0
/// where none of it can be told. Global, so that the verifier walks it once.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn head_of_answer(skb: *mut __sk_buff, at: u32, len: u32) -> u64 {
    let mut words = MaybeUninit::<Words>::uninit();
    let words = zeroed(&mut words);
    // 0, of which the verifier knows that only where it says nothing: else it walks all twice.
    let mut value = len >> 31;
    let (mut base, mut status) = (0, 0);
    while base < STEP * STEPS {
        if base >= len || !load(skb, at + base, len - base, words) {
            return 0;
        }
        if base == 0 {
            status = status_of(words);
            if len < STATUS_LINE || status < 200 {
                return 0;
            }
        }
        let mut half = 0;
        while half < STEP {
            let mut ends = line_ends(words, half);
            let mut lines = 0;
            while ends != 0 {
                lines += 1;
                if lines > LINES {
                    return 0;
                }
                let offset = half + opaque(u64::from(ends.trailing_zeros()) & 63) as u32 + 1;
                ends &= ends - 1;
                if base + offset + 2 > len {
                    return 0;
                }
                let line = word(words, offset);
                if line & 0xffff == u64::from(u16::from_le_bytes(*b"\r\n")) {
                    let head = u64::from(base + offset + 2) << 32 | u64::from(value);
                    return if status == 204 || status == 304 {
                        head | NO_BODY
                    } else {
                        head
                    };
                }
                if matches!(line as u8, b'\n' | b' ' | b'\t') || line | SMALL == TRANSFER {
                    return 0;
                }
                if line | SMALL == CONTENT {
                    // A colon should follow: what is behind that is no number without it.
                    let name = word(words, offset + 8) | SMALL;
                    if name & SIX == LENGTH {
                        if value != 0 {
                            return 0;
                        }
                        value = base + offset + NAME;
                    }
                }
            }
            half += HALF;
        }
        base += STEP;
    }
    0
}

/// The code of a status line of HTTP/1; 0 if it is none.
#[inline(always)]
fn status_of(words: &Words) -> u32 {
    let (version, code) = (words[0].to_le(), words[1].to_le());
    let digit = |at: u32| ((code >> (8 * at)) as u8).wrapping_sub(b'0');
    let (a, b, c) = (digit(1), digit(2), digit(3));
    if version & SEVEN != VERSION || code as u8 != b' ' || a > 9 || b > 9 || c > 9 {
        return 0;
    }
    u32::from(a) * 100 + u32::from(b) * 10 + u32::from(c)
}

/// A bit for each line feed of the [`HALF`] bytes, or what of [`STEP`] there is, from `half` on; the
/// first byte's is the lowest.
#[inline(always)]
fn line_ends(words: &Words, half: u32) -> u64 {
    let last = if half + HALF < STEP {
        HALF
    } else {
        STEP - half
    };
    let (mut ends, mut i) = (0, 0);
    while i < last as usize / 8 {
        ends |= line_feeds(words[half as usize / 8 + i].to_le()) << (8 * i);
        i += 1;
    }
    ends
}

/// A bit for each line feed of a word.
#[inline(always)]
fn line_feeds(word: u64) -> u64 {
    const LINE_FEEDS: u64 = u64::from_le_bytes([b'\n'; 8]);
    const REST: u64 = u64::from_le_bytes([0x7f; 8]);
    let other = word ^ LINE_FEEDS;
    // The highest bit of each byte that is zero; no carry leaves its byte.
    let zeros = !(((other & REST) + REST) | other | REST);
    // All of them into the highest byte.
    (zeros >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// A space, digits, and the end of the line, plus 1; of anything else, 0.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn number_at(skb: *mut __sk_buff, at: u32, left: u32) -> u64 {
    let mut words = MaybeUninit::<[u64; 2]>::uninit();
    let words = zeroed(&mut words);
    let to = (&raw mut *words).cast::<[u8; 16]>();
    let count = if left < 16 { left } else { 16 };
    if capture::load(&SkBuffContext::new(skb), at, to, count) != count {
        return 0;
    }
    let bytes: &[u8; 16] = bytemuck::cast_ref(words);
    if bytes[0] != b' ' {
        return 0;
    }
    let (mut number, mut digits) = (0, 0);
    while digits < DIGITS {
        let byte = bytes[1 + digits as usize];
        if byte == b'\r' && digits != 0 {
            return number + 1;
        }
        if !byte.is_ascii_digit() {
            return 0;
        }
        number = number * 10 + u64::from(byte - b'0');
        digits += 1;
    }
    0
}
