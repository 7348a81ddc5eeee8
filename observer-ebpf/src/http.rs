//! How an HTTP/1 request and an interim response begin: all that the kernel side knows of
//! HTTP where requests wait for their answers.

use aya_ebpf::{bindings::__sk_buff, programs::SkBuffContext};

use crate::capture::Place;

/// Methods with the space behind them (RFC 9110 9), padded to a word.
const METHODS: [(&[u8; 8], u32); 9] = [
    (b"GET \0\0\0\0", 4),
    (b"HEAD \0\0\0", 5),
    (b"POST \0\0\0", 5),
    (b"PUT \0\0\0\0", 4),
    (b"DELETE \0", 7),
    (b"OPTIONS ", 8),
    (b"PATCH \0\0", 6),
    (b"CONNECT ", 8),
    (b"TRACE \0\0", 6),
];

/// `PRI * HTTP/2.0` (RFC 9113 3.4).
const HTTP2: u64 = u64::from_be_bytes(*b"PRI * HT");
/// A handshake record of TLS (RFC 8446 5.1): its type, and the version's first byte.
const TLS: u64 = 0x1603;
pub(crate) const CONNECT: u64 = u64::from_be_bytes(*b"CONNECT ");
/// How most requests begin.
const GET: u64 = u32::from_be_bytes(*b"GET ") as u64;
const SLASH: u64 = b'/' as u64;
const OPTIONS: u64 = u64::from_be_bytes(*b"OPTIONS ");
const EMPTY_LINE: u64 = 0x0d0a;

/// The longest method looked for, with its space and the target's first byte: `MKREDIRECTREF`.
const LONG: u32 = 16;

/// What a stream, or a turn, begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    Request,
    Tls,
    Http2,
    Other,
}

/// The first bytes of something, eight at most: as they come, and 0 behind them.
#[derive(Clone, Copy)]
pub(crate) struct First {
    pub(crate) word: u64,
    pub(crate) count: u32,
}

impl First {
    /// Reads them.
    #[inline(always)]
    pub(crate) fn read(ctx: &SkBuffContext, at: u32, len: u32) -> Self {
        Self {
            word: first_bytes(ctx.skb.skb, at, len),
            count: if len > 8 { 8 } else { len },
        }
    }

    /// Those `before`, fewer than eight, and these behind them.
    #[inline(always)]
    pub(crate) fn behind(self, word: u64, before: u32) -> Self {
        let count = before + self.count;
        Self {
            word: word | self.word >> (8 * (before & 7)),
            count: if count > 8 { 8 } else { count },
        }
    }

    /// True if it decides: no further byte can change what it begins.
    #[inline(always)]
    pub(crate) fn is_whole(self) -> bool {
        self.count == 8
    }

    /// A line that an old client sends behind a body, and servers pass over (RFC 9112 2.2).
    #[inline(always)]
    pub(crate) fn is_empty_line(self) -> bool {
        self.count >= 2 && self.word >> 48 == EMPTY_LINE
    }

    /// True for the first byte of GET or HEAD: requests that have no body.
    #[inline(always)]
    pub(crate) fn is_bodiless(word: u64) -> bool {
        word >> 56 == u64::from(b'G') || word >> 56 == u64::from(b'H')
    }

    /// True for the first byte of HEAD.
    #[inline(always)]
    pub(crate) fn is_head(word: u64) -> bool {
        word >> 56 == u64::from(b'H')
    }

    /// True if they begin a request with one of the usual methods, as far as they go: a client
    /// may send its first line byte by byte.
    #[inline(always)]
    pub(crate) fn begins_request(self) -> bool {
        (self.word >> 32 == GET && self.count >= 5 && self.word >> 24 & 0xff == SLASH)
            || begins_usual_request(self.word, self.count) == 1
    }
}

// Global functions, each walked once by the verifier and not once for every state it is called
// in. 5.10 takes only the context and numbers as arguments.

/// The first eight of the `len` bytes at `at`, big-endian.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn first_bytes(skb: *mut __sk_buff, at: u32, len: u32) -> u64 {
    let ctx = SkBuffContext::new(skb);
    let at = at as usize;
    if len >= 8 {
        return ctx.load::<[u8; 8]>(at).map_or(0, u64::from_be_bytes);
    }
    let (mut word, mut count) = (0, 0);
    if len & 4 != 0 {
        let four = ctx.load::<[u8; 4]>(at).map_or(0, u32::from_be_bytes);
        word = u64::from(four) << 32;
        count = 4;
    }
    if len & 2 != 0 {
        let two = ctx
            .load::<[u8; 2]>(at + count)
            .map_or(0, u16::from_be_bytes);
        word |= u64::from(two) << (48 - 8 * count);
        count += 2;
    }
    if len & 1 != 0 {
        let one = ctx.load::<u8>(at + count).unwrap_or(0);
        word |= u64::from(one) << (56 - 8 * count);
    }
    word
}

/// 1 if the first `count` bytes of `word` begin a request with one of the usual methods, as
/// far as they go.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn begins_usual_request(word: u64, count: u32) -> u32 {
    if count == 0 || count > 8 {
        return 0;
    }
    let mut i = 0;
    while i < METHODS.len() {
        let (text, length) = METHODS[i];
        let compared = if length < count { length } else { count };
        if (word ^ u64::from_be_bytes(*text)) >> (64 - 8 * compared) == 0 {
            if length >= count {
                return 1;
            }
            let target = (word << (8 * (length & 7)) >> 32) as u32;
            return u32::from(begins_target(target, count - length));
        }
        i += 1;
    }
    0
}

/// What the `len` bytes at `at` begin with, whose first are `first`.
#[inline(always)]
pub(crate) fn begins(ctx: &SkBuffContext, first: First, at: u32, len: u32) -> Begins {
    if first.word == HTTP2 {
        return Begins::Http2;
    }
    if first.word >> 48 == TLS {
        return Begins::Tls;
    }
    if first.word == OPTIONS && len > 8 {
        // Of OPTIONS, other protocols have one, too.
        let target = First::read(ctx, at + 8, len - 8);
        return if begins_target((target.word >> 32) as u32, target.count) {
            Begins::Request
        } else {
            Begins::Other
        };
    }
    if first.begins_request() || (len >= LONG && begins_unusual_request(ctx.skb.skb, at) == 1) {
        return Begins::Request;
    }
    Begins::Other
}

/// 1 if it begins with any other method: capital letters, a space, and what begins a target.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn begins_unusual_request(skb: *mut __sk_buff, at: u32) -> u32 {
    let Ok(bytes) = SkBuffContext::new(skb).load::<[u8; LONG as usize]>(at as usize) else {
        return 0;
    };
    let mut i = 0;
    while i < LONG as usize - 1 {
        if bytes[i] == b' ' {
            let mut four = 0;
            let mut at = 1;
            while at <= 4 {
                let byte = if i + at < LONG as usize {
                    bytes[i + at]
                } else {
                    ABSOLUTE[at - 1]
                };
                four = four << 8 | u32::from(byte);
                at += 1;
            }
            return u32::from(i >= 3 && begins_target(four, 4));
        }
        if !(bytes[i].is_ascii_uppercase() || bytes[i] == b'-') {
            return 0;
        }
        i += 1;
    }
    0
}

/// origin-form, asterisk-form or absolute-form (RFC 9112 3.2), by the first `count` bytes of
/// `four`.
#[inline(always)]
fn begins_target(four: u32, count: u32) -> bool {
    let first = (four >> 24) as u8;
    let compared = if count > 4 { 4 } else { count };
    let absolute = u64::from((four | 0x2020_2020) ^ u32::from_be_bytes(ABSOLUTE));
    first == b'/' || first == b'*' || absolute >> (32 - 8 * compared) == 0
}

/// How absolute-form begins.
const ABSOLUTE: [u8; 4] = *b"http";

/// What kind of answer a status line announces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announces {
    /// The answer itself.
    Final,
    /// An interim response, which the final one follows (RFC 9110 15.2).
    Interim,
    /// 101, or 2xx to CONNECT: what follows is not HTTP.
    Upgrade,
}

/// What the bytes at `at` announce, in answer to a request that begins with `asked`.
#[inline(always)]
pub(crate) fn announces(ctx: &SkBuffContext, at: u32, asked: u64) -> Announces {
    let Ok(line) = ctx.load::<[u8; 12]>(at as usize) else {
        return Announces::Final;
    };
    if line[0] == b'H' && line[9] == b'2' && asked == CONNECT {
        Announces::Upgrade
    } else if line[0] != b'H' || line[8] != b' ' || line[9] != b'1' {
        Announces::Final
    } else if line[10] == b'0' && line[11] == b'1' {
        Announces::Upgrade
    } else {
        Announces::Interim
    }
}

/// The latest eight bytes of a stream: those of `before` as far as this packet has fewer.
#[inline(always)]
pub(crate) fn latest(ctx: &SkBuffContext, before: u64, place: &Place) -> u64 {
    let end = place.at + place.len;
    if place.len >= 8 {
        return ctx
            .load::<[u8; 8]>((end - 8) as usize)
            .map_or(0, u64::from_be_bytes);
    }
    let few = First::read(ctx, place.at, place.len);
    let bits = 8 * (few.count & 7);
    // Shifting by 64 is undefined; there is at least one byte.
    before << bits | few.word >> ((64 - bits) & 63)
}
