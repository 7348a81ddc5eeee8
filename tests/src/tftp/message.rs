//! A TFTP datagram, read.

use anyhow::{Result, ensure};

use super::transfer::Operation;

/// What one datagram says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    Request(Request),
    /// Its payload's bytes are as the UDP header says, whatever the capture kept.
    Data {
        block: u16,
        len: u64,
    },
    Ack(u16),
    Error(u16),
    Oack(Options),
    /// Not TFTP: the receiver's host says that nobody listens there any more.
    Refused,
}

/// RRQ or WRQ.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) operation: Operation,
    /// The whole datagram: what is repeated is the same.
    pub(super) raw: Vec<u8>,
    /// `None` if it has no name, or no mode that there is.
    pub(super) file: Option<Vec<u8>>,
}

/// Names in lower case, and values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options(Vec<(Vec<u8>, Vec<u8>)>);

/// "mail" is obsolete, but a mode.
const MODES: [&[u8]; 3] = [b"octet", b"netascii", b"mail"];

impl Message {
    /// Reads a datagram's payload. `kept` is what the capture has of its `len` bytes;
    /// `to_server` says that it went to a port where requests are read.
    pub(super) fn read(kept: &[u8], len: u64, to_server: bool) -> Result<Option<Self>> {
        let Some((&[high, opcode], body)) = kept.split_first_chunk() else {
            return Ok(None);
        };
        let number = body.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
        let whole = || ensure_whole(kept, len);
        Ok(match (u16::from_be_bytes([high, opcode]), number) {
            (1, _) if to_server => whole().map(|()| Some(Self::request(Operation::Read, kept)))?,
            (2, _) if to_server => whole().map(|()| Some(Self::request(Operation::Write, kept)))?,
            (3, Some(block)) => Some(Self::Data {
                block,
                len: len - 4,
            }),
            (4, Some(block)) => Some(Self::Ack(block)),
            (5, Some(code)) => Some(Self::Error(code)),
            (6, _) => whole().map(|()| Some(Self::Oack(Options::read(body))))?,
            _ => None,
        })
    }

    fn request(operation: Operation, raw: &[u8]) -> Self {
        let mut strings = strings(raw.get(2..).unwrap_or_default());
        let file = strings.next().filter(|name| !name.is_empty());
        let mode = strings.next().map(<[u8]>::to_ascii_lowercase);
        let is_mode = mode.is_some_and(|mode| MODES.contains(&mode.as_slice()));
        Self::Request(Request {
            operation,
            raw: raw.to_vec(),
            file: file.filter(|_| is_mode).map(<[u8]>::to_vec),
        })
    }
}

impl Options {
    fn read(body: &[u8]) -> Self {
        let mut strings = strings(body);
        let pair = || {
            Some((
                strings.next()?.to_ascii_lowercase(),
                strings.next()?.to_vec(),
            ))
        };
        Self(std::iter::from_fn(pair).collect())
    }

    /// The value of an option that is a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let (_, value) = self.0.iter().find(|(found, _)| found == name.as_bytes())?;
        str::from_utf8(value).ok()?.parse().ok()
    }
}

/// What is in front of each NUL; what no NUL ends is no string.
fn strings(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|byte| *byte == 0)
        .filter_map(|string| string.strip_suffix(&[0]))
}

fn ensure_whole(kept: &[u8], len: u64) -> Result<()> {
    let is_whole = kept.len() as u64 == len;
    ensure!(is_whole, "the capture cuts a request or its options");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(raw: &[u8]) -> Option<Vec<u8>> {
        let message = Message::read(raw, raw.len() as u64, true).expect("whole");
        let Some(Message::Request(request)) = message else {
            panic!("no request: {message:?}")
        };
        request.file
    }

    #[test]
    fn a_request_has_a_name_and_a_mode() {
        let check = |raw: &[u8], file: Option<&[u8]>| {
            assert_eq!(file_of(raw).as_deref(), file, "{raw:?}");
        };
        check(b"\0\x01a\xffb\0OcTeT\0", Some(b"a\xffb"));
        check(b"\0\x02a\0netascii\0blksize\x00512\0", Some(b"a"));
        check(b"\0\x01a\0octet", None);
        check(b"\0\x01a\0image\0", None);
        check(b"\0\x01\0octet\0", None);
        check(b"\0\x01abc", None);
        check(b"\0\x01", None);
    }

    #[test]
    fn options_are_found_whatever_their_case() {
        let message = Message::read(b"\0\x06BlkSize\x001432\0tsize\0", 21, false).expect("whole");
        let Some(Message::Oack(options)) = message else {
            panic!("no OACK: {message:?}")
        };
        assert_eq!(options.number("blksize"), Some(1432));
        assert_eq!(options.number("tsize"), None);
    }

    #[test]
    fn lengths_are_the_headers_where_the_capture_is_cut() {
        let data = Message::read(b"\0\x03\x01\x02", 516, false).expect("data");
        let expected = Message::Data {
            block: 0x0102,
            len: 512,
        };
        assert_eq!(data, Some(expected));
        Message::read(b"\0\x01a\0oct", 10, true).expect_err("a cut request");
    }
}
