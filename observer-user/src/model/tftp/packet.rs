//! TFTP requests and option acknowledgements (RFC 1350 5, RFC 2347), read from any bytes.

use observer_common::tftp::{OACK, RRQ, WRQ};

use super::Operation;

/// A request as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What the client wants to do.
    pub operation: Operation,
    /// The file's name: bytes, of no known encoding.
    pub name: &'a [u8],
    /// What it asks for.
    pub options: Options,
}

/// The options that change how a transfer runs (RFC 2348, 2349, 7440), and the file's size; others are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a full block: 8 to 65,464.
    pub block_size: Option<u16>,
    /// Blocks sent for one acknowledgement: 1 or more.
    pub window_size: Option<u16>,
    /// Seconds before something is sent again: 1 to 255.
    pub timeout: Option<u8>,
    /// Bytes of the file, as the side that has it says; a client that asks says 0.
    pub size: Option<u64>,
}

/// Reads a request packet from its opcode on; `None` if it is malformed: no such opcode, no file
/// name, no mode that there is, or text without an end.
pub fn request(packet: &[u8]) -> Option<Request<'_>> {
    let (opcode, rest) = opcode(packet)?;
    let operation = match opcode {
        RRQ => Operation::Read,
        WRQ => Operation::Write,
        _ => return None,
    };
    let (name, rest) = text(rest)?;
    let (mode, rest) = text(rest)?;
    let modes: [&[u8]; 3] = [b"octet", b"netascii", b"mail"];
    let is_known = modes.iter().any(|known| mode.eq_ignore_ascii_case(known));
    (is_known && !name.is_empty()).then_some(Request {
        operation,
        name,
        options: options(rest),
    })
}

/// What a server accepted, from the opcode on; `None` if the packet is no OACK.
pub(super) fn accepted(packet: &[u8]) -> Option<Options> {
    let (opcode, rest) = opcode(packet)?;
    (opcode == OACK).then(|| options(rest))
}

fn opcode(packet: &[u8]) -> Option<(u16, &[u8])> {
    let (opcode, rest) = packet.split_first_chunk()?;
    Some((u16::from_be_bytes(*opcode), rest))
}

/// Text up to its NUL, and what is behind that.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// Pairs of name and value, as far as they are whole. Of one that is there twice the first
/// counts.
fn options(mut rest: &[u8]) -> Options {
    let mut options = Options::default();
    while let Some((name, value, behind)) = pair(rest) {
        rest = behind;
        if name.eq_ignore_ascii_case(b"blksize") {
            let is_valid = |size: &u16| (8..=65_464).contains(size);
            options.block_size = options.block_size.or(number(value).filter(is_valid));
        } else if name.eq_ignore_ascii_case(b"windowsize") {
            let is_valid = |size: &u16| *size != 0;
            options.window_size = options.window_size.or(number(value).filter(is_valid));
        } else if name.eq_ignore_ascii_case(b"timeout") {
            let is_valid = |seconds: &u8| *seconds != 0;
            options.timeout = options.timeout.or(number(value).filter(is_valid));
        } else if name.eq_ignore_ascii_case(b"tsize") {
            options.size = options.size.or(number(value));
        }
    }
    options
}

fn pair(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = text(rest)?;
    let (value, rest) = text(rest)?;
    Some((name, value, rest))
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_its_name_and_what_it_asks_for() {
        let packet = b"\0\x01pxelinux.0\0OcTet\0tsize\x000\0BLKSIZE\x001408\0windowsize\x004\0timeout\x005\0";
        let expected = Request {
            operation: Operation::Read,
            name: b"pxelinux.0",
            options: Options {
                block_size: Some(1408),
                window_size: Some(4),
                timeout: Some(5),
                size: Some(0),
            },
        };
        assert_eq!(request(packet), Some(expected));
        let plain = Request {
            operation: Operation::Write,
            name: b"\xff\\x",
            options: Options::default(),
        };
        assert_eq!(request(b"\0\x02\xff\\x\0netascii\0"), Some(plain));
    }

    #[test]
    fn what_is_no_request_is_none() {
        let packets: [&[u8]; 9] = [
            b"",
            b"\0",
            b"\0\x01",
            b"\0\x01name",
            b"\0\x01name\0",
            b"\0\x01name\0octet",
            b"\0\x01\0octet\0",
            b"\0\x01name\0ascii\0",
            b"\0\x03name\0octet\0",
        ];
        for packet in packets {
            assert_eq!(request(packet), None, "{}", packet.escape_ascii());
        }
    }

    #[test]
    fn options_that_cannot_be_are_none() {
        for (text, expected) in [
            (&b"blksize\x007\0"[..], Options::default()),
            (b"blksize\x0065465\0", Options::default()),
            (b"blksize\x0099999999999\0", Options::default()),
            (
                b"blksize\0-1\0windowsize\x000\0timeout\x00256\0",
                Options::default(),
            ),
            (b"blksize\x001024", Options::default()),
            (
                b"tsize\x0018446744073709551616\0msftwindow\x0027182\0",
                Options::default(),
            ),
            (
                b"x\0y\0blksize\x00512\0blksize\x001024\0",
                Options {
                    block_size: Some(512),
                    ..Options::default()
                },
            ),
        ] {
            let packet = [b"\0\x06", text].concat();
            assert_eq!(accepted(&packet), Some(expected), "{}", text.escape_ascii());
        }
        assert_eq!(accepted(b"\0\x03\0\x01"), None);
    }
}
