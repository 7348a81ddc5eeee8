//! Where a chunked body ends (RFC 9112, 7.1).

use super::flow::Flow;

/// The last chunk, seen or not.
#[derive(Debug, PartialEq)]
pub(super) enum Chunks {
    /// All were sent; what follows begins here.
    End(u64),
    /// More is to come.
    Unfinished,
    /// The capture lacks a size, or it is none.
    Unreadable,
}

/// A size with extensions, or a trailer, is no longer.
const LONGEST_LINE: usize = 1 << 13;

/// Goes from size to size; of the chunks themselves no byte is needed.
pub(super) fn chunks(flow: &Flow, mut at: u64) -> Chunks {
    loop {
        let line = match line(flow, at) {
            Ok(line) => line,
            Err(instead) => return instead,
        };
        let digits = line.split(|byte| !byte.is_ascii_hexdigit()).next();
        let size = digits.and_then(|digits| str::from_utf8(digits).ok());
        let Some(size) = size.and_then(|size| u64::from_str_radix(size, 16).ok()) else {
            return Chunks::Unreadable;
        };
        at += line.len() as u64;
        if size == 0 {
            return trailers(flow, at);
        }
        // And the line end behind it.
        let Some(next) = at.checked_add(size).and_then(|next| next.checked_add(2)) else {
            return Chunks::Unreadable;
        };
        at = next;
    }
}

fn trailers(flow: &Flow, mut at: u64) -> Chunks {
    loop {
        match line(flow, at) {
            Ok(line) => {
                at += line.len() as u64;
                if line == b"\r\n" || line == b"\n" {
                    return Chunks::End(at);
                }
            }
            Err(instead) => return instead,
        }
    }
}

/// With its end.
fn line(flow: &Flow, at: u64) -> Result<Vec<u8>, Chunks> {
    let mut line = Vec::new();
    while line.len() < LONGEST_LINE {
        let behind = at + line.len() as u64;
        let Some(kept) = flow.kept(behind) else {
            return Err(match behind < flow.sent() {
                true => Chunks::Unreadable,
                false => Chunks::Unfinished,
            });
        };
        match kept.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                line.extend_from_slice(&kept[..=end]);
                return Ok(line);
            }
            None => line.extend_from_slice(kept),
        }
    }
    Err(Chunks::Unreadable)
}
