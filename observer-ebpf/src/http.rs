//! How an HTTP/1 request and an interim response begin: all that the kernel side knows of
//! HTTP.

use aya_ebpf::programs::SkBuffContext;

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

/// True if the `len` bytes at `at` begin a request, as far as they go: a client may send
/// its first line byte by byte.
#[inline(always)]
pub(crate) fn begins_request(ctx: &SkBuffContext, at: u32, len: u32) -> bool {
    let at = at as usize;
    let (word, seen) = if len >= 8 {
        (ctx.load::<[u8; 8]>(at).map(u64::from_be_bytes), 8)
    } else if len >= 4 {
        (
            ctx.load::<[u8; 4]>(at)
                .map(|four| u64::from(u32::from_be_bytes(four)) << 32),
            4,
        )
    } else {
        (
            ctx.load::<[u8; 1]>(at).map(|one| u64::from(one[0]) << 56),
            1,
        )
    };
    let Ok(word) = word else { return false };
    let mut i = 0;
    while i < METHODS.len() {
        let (text, length) = METHODS[i];
        let compared = if length < seen { length } else { seen };
        if (word ^ u64::from_be_bytes(*text)) >> (64 - 8 * compared) == 0 {
            return true;
        }
        i += 1;
    }
    false
}

/// True if the bytes at `at` begin an interim response, which the final one follows
/// (RFC 9110 15.2): `HTTP/1.1 100`, but not 101.
#[inline(always)]
pub(crate) fn begins_interim(ctx: &SkBuffContext, at: u32) -> bool {
    let Ok(line) = ctx.load::<[u8; 12]>(at as usize) else {
        return false;
    };
    line[0] == b'H' && line[8] == b' ' && line[9] == b'1' && !(line[10] == b'0' && line[11] == b'1')
}
