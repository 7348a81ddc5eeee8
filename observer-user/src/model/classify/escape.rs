//! Any bytes as a column of a text table, and back.
//!
//! `\\` is a backslash, `\n` a line feed, `\xHH` that byte, `AAAA{xN}` stands for N times `A`;
//! all else stands for itself. Invariant: what is escaped is printable ASCII, so a hostile path
//! does nothing to a terminal, and unescapes to the same bytes.

use std::fmt::{self, Write as _};

/// Longest run that a table can ask for.
const MAX_RUN: usize = 1 << 20;

/// A backslash that begins no escape, or a run that is too long; where it begins, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEscape {
    /// The offset in the escaped text.
    pub offset: usize,
}

impl fmt::Display for BadEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.offset + 1;
        write!(
            f,
            "bad escape at byte {column} of the path (\\\\, \\n, \\xHH, AAAA{{xN}})"
        )
    }
}

impl std::error::Error for BadEscape {}

/// The bytes as a column of a table.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            // Literal, it would read as a run.
            b'{' if bytes[..at].ends_with(b"AAAA") => text.push_str("\\x7b"),
            b' '..=b'~' => text.push(byte.into()),
            _ => write!(text, "\\x{byte:02x}").unwrap_or_default(),
        }
    }
    text
}

/// The bytes that a column of a table stands for.
///
/// # Errors
///
/// The first bad escape.
pub fn unescape(text: &[u8]) -> Result<Vec<u8>, BadEscape> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let bad = BadEscape {
            offset: text.len() - rest.len(),
        };
        rest = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => push(&mut bytes, b'\\', after),
            (b'\\', [b'n', after @ ..]) => push(&mut bytes, b'\n', after),
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let byte = number(&digits, 16).ok_or(bad)?;
                push(&mut bytes, byte, after)
            }
            (b'\\', _) => return Err(bad),
            _ => match rest.strip_prefix(b"AAAA{x") {
                Some(run) => push_run(&mut bytes, run).ok_or(bad)?,
                None => push(&mut bytes, first, after),
            },
        };
    }
    Ok(bytes)
}

fn push<'a>(bytes: &mut Vec<u8>, byte: u8, rest: &'a [u8]) -> &'a [u8] {
    bytes.push(byte);
    rest
}

/// Appends the run whose `N}` comes first in `run`; what follows it.
fn push_run<'a>(bytes: &mut Vec<u8>, run: &'a [u8]) -> Option<&'a [u8]> {
    let end = run.iter().position(|b| *b == b'}')?;
    let length = number::<usize>(&run[..end], 10).filter(|length| *length <= MAX_RUN)?;
    bytes.resize(bytes.len().checked_add(length)?, b'A');
    run.get(end + 1..)
}

fn number<T: TryFrom<u32>>(digits: &[u8], radix: u32) -> Option<T> {
    let digits = std::str::from_utf8(digits).ok()?;
    // from_str_radix takes a sign, an escape has none.
    let digits = Some(digits).filter(|digits| !digits.starts_with('+'))?;
    T::try_from(u32::from_str_radix(digits, radix).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unescapes_what_the_table_has() {
        for (text, bytes) in [
            (r"\\Boot\\BCD", &br"\Boot\BCD"[..]),
            (r"pxelinux.0\xffQ3*G", b"pxelinux.0\xffQ3*G"),
            (r"a\nb\x00", b"a\nb\0"),
            ("/%zz AAA{x5}", b"/%zz AAA{x5}"),
            ("/AAAA{x9}.iso", b"/AAAAAAAAA.iso"),
        ] {
            assert_eq!(unescape(text.as_bytes()), Ok(bytes.to_vec()), "{text}");
        }
    }

    #[test]
    fn says_where_an_escape_is_bad() {
        for (text, offset) in [
            (r"ab\q", 2),
            (r"\x4", 0),
            (r"\xg0", 0),
            (r"a\x+1", 1),
            (r"\\\", 2),
            ("AAAA{x9", 0),
            ("AAAA{x}", 0),
            ("AAAA{x99999999}", 0),
        ] {
            assert_eq!(
                unescape(text.as_bytes()),
                Err(BadEscape { offset }),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn unescape_undoes_escape(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(unescape(escape(&bytes).as_bytes()), Ok(bytes));
        }

        #[test]
        fn what_looks_like_a_run_survives(text in "A{3,6}\\{x[0-9]{0,3}\\}?") {
            prop_assert_eq!(unescape(escape(text.as_bytes()).as_bytes()), Ok(text.into_bytes()));
        }

        #[test]
        fn escaped_is_printable_ascii(bytes in any::<Vec<u8>>()) {
            prop_assert!(escape(&bytes).bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }
}
