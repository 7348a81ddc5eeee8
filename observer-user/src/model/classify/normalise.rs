//! From a raw target to the one spelling that rules match.
//!
//! Invariants: never more than [`MAX_PATH`] bytes come out, without an upper-case ASCII letter, a
//! control byte, an empty segment, a `.` segment or a slash at either end; the result, spelled as
//! a target again, normalises to itself; the work is bounded whatever the target's length.

use memchr::{memchr, memchr2, memchr3};

use super::subject::{Access, Proto, Subject};

/// Longest normalised path that is classified.
pub(super) const MAX_PATH: usize = 2048;

/// A buffer that any path of [`MAX_PATH`] bytes fits in, with a trailing `/.` that is cut later.
pub(super) const ROOM: usize = MAX_PATH + 2;

/// Raw bytes looked at: a path of [`MAX_PATH`] bytes, every one of them percent-encoded. Padding
/// with `//` or `/./` beyond that would buy a sender our time, and a label nothing.
const MAX_RAW: usize = 3 * MAX_PATH;

/// Registered schemes are shorter by far.
const MAX_SCHEME: usize = 32;

/// Longer queries match no query rule; the ones of boot clients are a few hundred bytes.
const MAX_QUERY: usize = 2048;

/// Why a request is `other` before any rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Malformed {
    /// Neither reads nor writes.
    Method,
    /// The target `*`.
    Asterisk,
    /// Longer than [`MAX_PATH`].
    TooLong,
    /// HTTP with a control byte, encoded or not.
    ControlByte,
    /// TFTP with no name, or with none before the first byte of garbage.
    EmptyName,
}

/// A normalised target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Normal<'a> {
    /// Lower-case, without a slash at either end.
    pub(super) path: &'a [u8],
    /// The path ended in `/`: it names a directory, not a file.
    pub(super) directory: bool,
    /// As it stands on the wire.
    pub(super) query: &'a [u8],
}

/// Normalises a request's target into `room`, which is [`ROOM`] bytes, or as long as the target.
pub(super) fn normalise<'a>(
    subject: Subject<'a>,
    room: &'a mut [u8],
) -> Result<Normal<'a>, Malformed> {
    if subject.access == Access::Other {
        return Err(Malformed::Method);
    }
    if subject.proto == Proto::Http && subject.target == b"*" {
        return Err(Malformed::Asterisk);
    }
    let (raw, query) = split(strip_authority(subject.target)?)?;
    let mut path = Writer::new(room);
    path.write(raw, subject.proto)?;
    let (path, directory) = path.finish()?;
    if path.is_empty() && subject.proto == Proto::Tftp {
        return Err(Malformed::EmptyName);
    }
    Ok(Normal {
        path,
        directory,
        query,
    })
}

/// Strips `scheme://authority` (RFC 9112 3.2.2; RFC 3617 has the same for TFTP).
fn strip_authority(target: &[u8]) -> Result<&[u8], Malformed> {
    let is_scheme = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let scheme = target.iter().take(MAX_SCHEME).take_while(is_scheme).count();
    let Some(rest) = target[scheme..].strip_prefix(b"://") else {
        return Ok(target);
    };
    if !target[0].is_ascii_alphabetic() {
        return Ok(target);
    }
    let seen = &rest[..rest.len().min(MAX_RAW)];
    match memchr3(b'/', b'?', b'#', seen) {
        Some(end) => Ok(&rest[end..]),
        None if seen.len() < rest.len() => Err(Malformed::TooLong),
        None => Ok(&[]),
    }
}

/// Path and query, without the fragment.
fn split(target: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let seen = &target[..target.len().min(MAX_RAW + 1)];
    let end = memchr2(b'?', b'#', seen).unwrap_or(seen.len());
    if end > MAX_RAW {
        return Err(Malformed::TooLong);
    }
    let query = target[end..].strip_prefix(b"?").unwrap_or_default();
    let seen = &query[..query.len().min(MAX_QUERY + 1)];
    let query = &seen[..memchr(b'#', seen).unwrap_or(seen.len())];
    let query = if query.len() > MAX_QUERY { &[] } else { query };
    Ok((&target[..end], query))
}

/// The lower-case form of a byte that means itself everywhere; 0 for the others.
const PLAIN: [u8; 256] = {
    let mut plain = [0; 256];
    let mut byte = b' ';
    while byte < 0xff {
        if !matches!(byte, b'/' | b'\\' | b'%' | 0x7f) {
            plain[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    plain
};

/// The next byte, percent-decoded if it can be, and what follows it.
fn decode(raw: &[u8]) -> Option<(u8, &[u8])> {
    if let [b'%', high, low, after @ ..] = raw
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        return Some((high << 4 | low, after));
    }
    raw.split_first().map(|(byte, after)| (*byte, after))
}

/// Builds the path, one byte of meaning at a time.
struct Writer<'a> {
    room: &'a mut [u8],
    len: usize,
    /// Where the segment being written began.
    segment: usize,
}

impl<'a> Writer<'a> {
    fn new(room: &'a mut [u8]) -> Self {
        Self {
            room,
            len: 0,
            segment: 0,
        }
    }

    fn write(&mut self, raw: &[u8], proto: Proto) -> Result<(), Malformed> {
        let mut rest = self.write_plain(raw);
        while let Some((byte, after)) = decode(rest) {
            match byte {
                b'/' | b'\\' => self.end_segment()?,
                0..0x20 | 0x7f => match proto {
                    Proto::Http => return Err(Malformed::ControlByte),
                    // What option ROMs send after the name they were given is garbage.
                    Proto::Tftp => return Ok(()),
                },
                0xff if proto == Proto::Tftp => return Ok(()),
                _ => self.push(byte.to_ascii_lowercase())?,
            }
            rest = self.write_plain(after);
        }
        Ok(())
    }

    /// Writes bytes up to the first that may mean something else; that and the rest.
    fn write_plain<'b>(&mut self, raw: &'b [u8]) -> &'b [u8] {
        let room = &mut self.room[self.len..];
        let mut written = 0;
        for (slot, byte) in room.iter_mut().zip(raw) {
            let plain = PLAIN[usize::from(*byte)];
            if plain == 0 {
                break;
            }
            *slot = plain;
            written += 1;
        }
        self.len += written;
        &raw[written..]
    }

    fn push(&mut self, byte: u8) -> Result<(), Malformed> {
        *self.room.get_mut(self.len).ok_or(Malformed::TooLong)? = byte;
        self.len += 1;
        Ok(())
    }

    fn end_segment(&mut self) -> Result<(), Malformed> {
        match &self.room[self.segment..self.len] {
            [] => {}
            [b'.'] => self.len = self.segment,
            _ => {
                self.push(b'/')?;
                self.segment = self.len;
            }
        }
        Ok(())
    }

    /// The path without what may follow a name, and whether it named a directory.
    fn finish(self) -> Result<(&'a [u8], bool), Malformed> {
        let written = &self.room[..self.len];
        let mut path = trim_directory(written);
        let mut directory = path.len() < written.len();
        if path.len() > MAX_PATH {
            return Err(Malformed::TooLong);
        }
        while let Some(shorter) = strip_suffix(path) {
            path = trim_directory(shorter);
            directory |= path.len() < shorter.len();
        }
        Ok((path, directory))
    }
}

/// Cuts `/` and a `.` segment from the end.
fn trim_directory(mut path: &[u8]) -> &[u8] {
    while let [shorter @ .., b'/'] | [shorter @ .., b'/', b'.'] = path {
        path = shorter;
    }
    if path == b"." { &[] } else { path }
}

/// Cuts a transfer mode (RFC 3617) or the trace context that Smee appends to a file's name
/// (`ipxe.efi-00-<trace id>-<span id>-01`, tinkerbell/smee `internal/dhcp/handler`).
fn strip_suffix(path: &[u8]) -> Option<&[u8]> {
    const FIELDS: [usize; 4] = [2, 32, 16, 2];
    let mode = path.strip_suffix(b";mode=octet");
    if let Some(shorter) = mode.or_else(|| path.strip_suffix(b";mode=netascii")) {
        return Some(shorter);
    }
    FIELDS.into_iter().rev().try_fold(path, |path, digits| {
        let (shorter, field) = path.split_at_checked(path.len().checked_sub(digits + 1)?)?;
        let [b'-', field @ ..] = field else {
            return None;
        };
        field.iter().all(u8::is_ascii_hexdigit).then_some(shorter)
    })
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Malformed::{Asterisk, ControlByte, EmptyName, TooLong};
    use Proto::{Http, Tftp};

    fn check(proto: Proto, target: &[u8], expected: Result<(&[u8], bool, &[u8]), Malformed>) {
        let mut room = [0; ROOM];
        let access = Access::Read;
        let subject = Subject {
            proto,
            access,
            target,
        };
        let got = normalise(subject, &mut room).map(|n| (n.path, n.directory, n.query));
        assert_eq!(
            got,
            expected,
            "{proto:?} {:?}",
            target.escape_ascii().to_string()
        );
    }

    #[test]
    fn one_spelling_for_every_way_to_write_a_path() {
        for (target, path) in [
            (&b"/Boot/VMLinuz"[..], &b"boot/vmlinuz"[..]),
            (b"//boot///vmlinuz", b"boot/vmlinuz"),
            (b"/./boot/././vmlinuz", b"boot/vmlinuz"),
            (b"\\Boot\\\\BCD", b"boot/bcd"),
            (b"/boot%2Fa%2fB%5cc", b"boot/a/b/c"),
            (b"/%2e/a", b"a"),
            (b"/a%2", b"a%2"),
            (b"/a%zz%4", b"a%zz%4"),
            (b"/%2541", b"%41"),
            (b"/a/../b", b"a/../b"),
            (b"/a/...", b"a/..."),
            (b"/a/.b", b"a/.b"),
            (b"/\xc3\x84%C3%84", b"\xc3\x84\xc3\x84"),
            (b"a b", b"a b"),
        ] {
            check(Http, target, Ok((path, false, b"")));
            check(Tftp, target, Ok((path, false, b"")));
        }
    }

    #[test]
    fn target_forms() {
        for (target, path) in [
            (&b"HTTP://10.0.0.1:80/a"[..], &b"a"[..]),
            (b"http://[fe80::1]/a", b"a"),
            (b"tftp://10.0.0.1/a;mode=octet", b"a"),
            (b"x-y+z.1://h/a", b"a"),
            (b"1x://h/a", b"1x:/h/a"),
            (b"://h/a", b":/h/a"),
            (b"/http://h/a", b"http:/h/a"),
            (b"(http,10.0.0.1)/a", b"(http,10.0.0.1)/a"),
        ] {
            check(Http, target, Ok((path, false, b"")));
        }
        check(Http, b"http://10.0.0.1", Ok((b"", false, b"")));
        check(Http, b"http://10.0.0.1?a/b", Ok((b"", false, b"a/b")));
        check(Http, b"*", Err(Asterisk));
        check(Tftp, b"*", Ok((b"*", false, b"")));
    }

    #[test]
    fn query_is_raw_and_fragment_is_nothing() {
        for (target, query) in [
            (&b"/a?B=%41#c"[..], &b"B=%41"[..]),
            (b"/a#b?c", b""),
            (b"/a??", b"?"),
            (b"/a?", b""),
        ] {
            check(Http, target, Ok((b"a", false, query)));
        }
    }

    #[test]
    fn a_slash_at_the_end_is_a_directory() {
        let directories = [
            "/a/",
            "/a//",
            "/a\\",
            "/a/.",
            "/a/./",
            "/a%2f",
            "/a/?q",
            "/a/;mode=octet",
        ];
        for target in directories {
            let query: &[u8] = if target.ends_with('q') { b"q" } else { b"" };
            check(Http, target.as_bytes(), Ok((b"a", true, query)));
        }
    }

    #[test]
    fn control_bytes() {
        for target in [&b"/a\x1fb"[..], b"/a%0d%0ab", b"/\x7f", b"/%7F", b"/a%00"] {
            check(Http, target, Err(ControlByte));
        }
        for target in [
            &b"a.0\x00junk"[..],
            b"A.0\xff/../x",
            b"a.0%00x",
            b"a.0\n;o\x1e",
        ] {
            check(Tftp, target, Ok((b"a.0", false, b"")));
        }
        check(Http, b"/a\xff", Ok((b"a\xff", false, b"")));
    }

    #[test]
    fn tftp_needs_a_name() {
        for target in [&b""[..], b"/", b".", b"\\", b"\xffa", b"?a", b";mode=octet"] {
            check(Tftp, target, Err(EmptyName));
        }
        check(Http, b"/", Ok((b"", false, b"")));
    }

    #[test]
    fn what_follows_a_name_is_cut() {
        let trace = b"ipxe.efi-00-23b1e307bb35484f535a1f772c06910e-d887dc3912240434-01";
        check(Tftp, trace, Ok((b"ipxe.efi", false, b"")));
        let twice = [&trace[..], b";mode=netascii;MODE=octet"].concat();
        check(Tftp, &twice, Ok((b"ipxe.efi", false, b"")));
        let short = &trace[..trace.len() - 1];
        check(Tftp, short, Ok((short, false, b"")));
        check(Tftp, b"a;mode=mail", Ok((b"a;mode=mail", false, b"")));
    }

    #[test]
    fn length_counts_what_is_left() {
        let name = b"a".repeat(MAX_PATH);
        for padded in [&b"/"[..], b"//./", b""] {
            for end in [&b""[..], b"/", b"/.", b"//", b"?", b"#b"] {
                let target = [padded, &name, end].concat();
                let directory = end.starts_with(b"/");
                check(Http, &target, Ok((&name, directory, b"")));
            }
            check(Http, &[padded, &name, b"a"].concat(), Err(TooLong));
            check(Http, &[padded, &name, b"/a"].concat(), Err(TooLong));
        }
        let encoded = b"%61".repeat(MAX_PATH);
        check(Http, &encoded, Ok((&name, false, b"")));
        check(Http, &b"/".repeat(MAX_RAW + 1), Err(TooLong));
        let host = [b"http://", &name[..], &name, &name, b"/a"].concat();
        check(Http, &host, Err(TooLong));
    }

    #[test]
    fn a_query_that_is_too_long_is_none() {
        let query = b"q".repeat(MAX_QUERY);
        check(
            Http,
            &[b"/a?", &query[..]].concat(),
            Ok((b"a", false, &query)),
        );
        check(
            Http,
            &[b"/a?", &query[..], b"q"].concat(),
            Ok((b"a", false, b"")),
        );
        check(
            Http,
            &[b"/a?", &query[..], b"#"].concat(),
            Ok((b"a", false, &query)),
        );
    }
}
