//! Where an HTTP/1 message ends, byte by byte (RFC 9112 6.3): for connections whose messages
//! follow each other without a pause, where only their own framing tells them apart.
//!
//! It resumes at any byte, keeps no byte, and says which need no look. Reading of the fields
//! is left to user space; what cannot be framed for certain is [`Fed::Broken`].

use bytemuck::{Pod, Zeroable};

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// The lines of a head, up to the blank one. A bare LF ends a line, too (RFC 9112 2.2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Lines {
    at: u32,
}

const IN_LINE: u32 = 0;
const AT_START: u32 = 1;
const BEHIND_CR: u32 = 2;

impl Lines {
    /// True if `byte` ends the blank line.
    #[inline(always)]
    pub fn feed(&mut self, byte: u8) -> bool {
        let blank = byte == LF && self.at != IN_LINE;
        self.at = if byte == LF {
            AT_START
        } else if byte == CR && self.at == AT_START {
            BEHIND_CR
        } else {
            IN_LINE
        };
        blank
    }

    /// True within a line: bytes up to its end change nothing.
    #[inline(always)]
    pub fn in_line(&self) -> bool {
        self.at == IN_LINE
    }
}

/// True if one of the eight bytes is a line feed.
#[inline(always)]
pub fn has_line_feed(word: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let other = word ^ u64::from_ne_bytes([LF; 8]);
    other.wrapping_sub(ONES) & !other & (ONES << 7) != 0
}

/// What a byte did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// The message goes on.
    More,
    /// The head is whole and the body follows.
    Head,
    /// An interim head is whole, and the next head belongs to the same answer (RFC 9110 15.2).
    Interim,
    /// The message is whole.
    End,
    /// It cannot be told where the message ends.
    Broken,
}

/// The state within a response.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Framer {
    /// Bytes that need no look: of the body, or of a chunk.
    remaining: u64,
    /// The number being read: a Content-Length, or a chunk's size.
    number: u64,
    /// Content-Length, once read.
    length: u64,
    /// One of the states below.
    state: u32,
    /// Bytes of the status line seen, up to its code.
    position: u32,
    /// The status code.
    status: u32,
    /// Bytes of `field` that matched.
    matched: u32,
    /// Which field's name or value is being read.
    field: u32,
    /// `HAS_LENGTH`, `CHUNKED`.
    found: u32,
    lines: Lines,
    reserved: u32,
}

const HEAD: u32 = 0;
const BODY: u32 = 1;
const TO_CLOSE: u32 = 2;
const CHUNK_SIZE: u32 = 3;
const CHUNK_EXTENSION: u32 = 4;
const CHUNK: u32 = 5;
const TRAILER: u32 = 6;

const NO_FIELD: u32 = 0;
const LENGTH_NAME: u32 = 1;
const CODING_NAME: u32 = 2;
const LENGTH_VALUE: u32 = 3;
const CODING_VALUE: u32 = 4;

const HAS_LENGTH: u32 = 1;
const CHUNKED: u32 = 2;

/// Eight digits beyond this are no size of anything.
const NUMBER_MAX: u64 = 1 << 56;
/// `HTTP/1.1 200`.
const STATUS_LINE: u32 = 12;

static LENGTH: [u8; 16] = *b"content-length:\0";
static CODING: [u8; 32] = *b"transfer-encoding:\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
static VERSION: [u8; 8] = *b"HTTP/1.\0";
const IN_NUMBER: u32 = 1;
const BEHIND_NUMBER: u32 = 2;
static LAST_CODING: [u8; 8] = *b"chunked\0";
const LAST_CODING_LEN: u32 = 7;
/// Beyond that: what may follow it did, or it was another one.
const SPACE_BEHIND: u32 = 8;
const OTHER_CODING: u32 = 9;

impl Framer {
    /// Behind the head of a chunked answer.
    #[inline(always)]
    pub fn at_chunks() -> Self {
        Self {
            state: CHUNK_SIZE,
            ..Self::default()
        }
    }

    /// In a body of which so many bytes are left; of `u64::MAX`, all until the connection ends.
    #[inline(always)]
    pub fn in_body(left: u64) -> Self {
        Self {
            state: if left == u64::MAX { TO_CLOSE } else { BODY },
            remaining: left,
            ..Self::default()
        }
    }

    /// True once the connection speaks another protocol (101).
    #[inline(always)]
    pub fn is_upgrade(&self) -> bool {
        self.state == TO_CLOSE && self.status == 101
    }

    /// True where nothing but the end of the connection ends the message.
    pub fn ends_with_connection(&self) -> bool {
        self.state == TO_CLOSE
    }

    /// How many bytes need no look.
    #[inline(always)]
    pub fn opaque(&self) -> u64 {
        if self.state == TO_CLOSE {
            u64::MAX
        } else {
            self.remaining
        }
    }

    /// Passes bytes that need no look.
    #[inline(always)]
    pub fn pass(&mut self, count: u64) -> Fed {
        if self.state == TO_CLOSE {
            return Fed::More;
        }
        self.remaining = self.remaining.saturating_sub(count);
        if self.remaining == 0 && self.state == BODY {
            Fed::End
        } else {
            if self.remaining == 0 {
                self.next_chunk();
            }
            Fed::More
        }
    }

    /// True if these eight bytes change nothing, which are then to be skipped.
    #[inline(always)]
    pub fn skims(&self, word: u64) -> bool {
        self.state == HEAD
            && self.position == STATUS_LINE
            && self.field == NO_FIELD
            && self.lines.in_line()
            && !has_line_feed(word)
    }

    /// Takes a byte of an answer to a HEAD (`bodiless`) or to another request.
    #[inline(always)]
    pub fn feed(&mut self, byte: u8, bodiless: bool) -> Fed {
        match self.state {
            HEAD => self.feed_head(byte, bodiless),
            CHUNK_SIZE | CHUNK_EXTENSION => self.feed_chunk_size(byte),
            TRAILER if self.lines.feed(byte) => Fed::End,
            _ => Fed::More,
        }
    }

    #[inline(always)]
    fn feed_head(&mut self, byte: u8, bodiless: bool) -> Fed {
        if self.position < STATUS_LINE {
            return self.feed_status_line(byte);
        }
        let at_start = !self.lines.in_line();
        if self.lines.feed(byte) {
            return self.body(bodiless);
        }
        if byte == LF {
            let good = self.take_value();
            self.field = NO_FIELD;
            return if good { Fed::More } else { Fed::Broken };
        }
        if at_start && (byte == b' ' || byte == b'\t') {
            // A line that goes on with the one before (RFC 9112 5.2).
            return Fed::Broken;
        }
        if at_start {
            self.begin_field(byte);
            return Fed::More;
        }
        self.feed_field(byte)
    }

    #[inline(always)]
    fn feed_status_line(&mut self, byte: u8) -> Fed {
        let position = self.position;
        self.position += 1;
        let good = match position {
            7 => true,
            8 => byte == b' ',
            9..=11 => {
                self.status = self.status * 10 + u32::from(byte.wrapping_sub(b'0'));
                byte.is_ascii_digit()
            }
            _ => VERSION[(position & 7) as usize] == byte,
        };
        if good { Fed::More } else { Fed::Broken }
    }

    #[inline(always)]
    fn begin_field(&mut self, byte: u8) {
        self.matched = 1;
        self.number = 0;
        self.field = match byte | 0x20 {
            b'c' => LENGTH_NAME,
            b't' => CODING_NAME,
            _ => NO_FIELD,
        };
    }

    #[inline(always)]
    fn feed_field(&mut self, byte: u8) -> Fed {
        let lower = byte | 0x20;
        match self.field {
            LENGTH_NAME => {
                let expected = LENGTH[(self.matched & 15) as usize];
                self.match_name(expected, byte, lower, LENGTH_VALUE);
            }
            CODING_NAME => {
                let expected = CODING[(self.matched & 31) as usize];
                self.match_name(expected, byte, lower, CODING_VALUE);
            }
            LENGTH_VALUE => return self.feed_length(byte),
            CODING_VALUE => self.match_coding(byte, lower),
            _ => {}
        }
        Fed::More
    }

    /// The colon has bit 0x20 set already; a letter is compared without its case.
    #[inline(always)]
    fn match_name(&mut self, expected: u8, byte: u8, lower: u8, value: u32) {
        if expected == b':' && byte == b':' {
            self.field = value;
            self.matched = 0;
        } else if expected == b':' && (byte == b' ' || byte == b'\t') {
            // Not allowed, and read all the same.
        } else if expected == lower && expected != b':' {
            self.matched += 1;
        } else {
            self.field = NO_FIELD;
        }
    }

    /// One number, with nothing but white space around it.
    #[inline(always)]
    fn feed_length(&mut self, byte: u8) -> Fed {
        if byte.is_ascii_digit() && self.matched <= IN_NUMBER {
            self.matched = IN_NUMBER;
            self.number = self.number * 10 + u64::from(byte - b'0');
            if self.number <= NUMBER_MAX {
                return Fed::More;
            }
        } else if byte == b' ' || byte == b'\t' || byte == CR {
            if self.matched == IN_NUMBER {
                self.matched = BEHIND_NUMBER;
            }
            return Fed::More;
        }
        Fed::Broken
    }

    /// A list of codings, of which the last one counts.
    #[inline(always)]
    fn match_coding(&mut self, byte: u8, lower: u8) {
        let matched = self.matched;
        self.matched = if byte == b',' {
            0
        } else if byte == b' ' || byte == b'\t' || byte == CR {
            match matched {
                0 | SPACE_BEHIND => matched,
                LAST_CODING_LEN => SPACE_BEHIND,
                _ => OTHER_CODING,
            }
        } else if matched < LAST_CODING_LEN && LAST_CODING[(matched & 7) as usize] == lower {
            matched + 1
        } else {
            OTHER_CODING
        };
    }

    /// The line of a field ends. False if it cannot be told what it says: Content-Length without
    /// a number, or with another than before.
    #[inline(always)]
    fn take_value(&mut self) -> bool {
        if self.field == CODING_VALUE {
            let chunked = self.matched == LAST_CODING_LEN || self.matched == SPACE_BEHIND;
            self.found = (self.found & !CHUNKED) | (u32::from(chunked) * CHUNKED);
        }
        if self.field != LENGTH_VALUE {
            return true;
        }
        if self.matched == 0 || (self.found & HAS_LENGTH != 0 && self.length != self.number) {
            return false;
        }
        self.found |= HAS_LENGTH;
        self.length = self.number;
        true
    }

    /// RFC 9112 6.3, in its order.
    #[inline(always)]
    fn body(&mut self, bodiless: bool) -> Fed {
        let status = self.status;
        if status == 101 {
            self.state = TO_CLOSE;
            return Fed::Head;
        }
        if status < 200 {
            *self = Self::default();
            return Fed::Interim;
        }
        if bodiless || status == 204 || status == 304 {
            return Fed::End;
        }
        if self.found & CHUNKED != 0 {
            self.next_chunk();
            return Fed::Head;
        }
        if self.found & HAS_LENGTH == 0 {
            self.state = TO_CLOSE;
            return Fed::Head;
        }
        if self.length == 0 {
            return Fed::End;
        }
        self.state = BODY;
        self.remaining = self.length;
        Fed::Head
    }

    #[inline(always)]
    fn next_chunk(&mut self) {
        self.state = CHUNK_SIZE;
        self.number = 0;
        self.matched = 0;
    }

    #[inline(always)]
    fn feed_chunk_size(&mut self, byte: u8) -> Fed {
        if byte == LF {
            return self.begin_chunk();
        }
        if self.state == CHUNK_EXTENSION {
            return Fed::More;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' | b'A'..=b'F' => (byte | 0x20) - b'a' + 10,
            b';' | CR | b' ' | b'\t' => {
                self.state = CHUNK_EXTENSION;
                return Fed::More;
            }
            _ => return Fed::Broken,
        };
        self.matched = 1;
        self.number = self.number * 16 + u64::from(digit);
        if self.number > NUMBER_MAX {
            return Fed::Broken;
        }
        Fed::More
    }

    #[inline(always)]
    fn begin_chunk(&mut self) -> Fed {
        if self.matched == 0 {
            return Fed::Broken;
        }
        if self.number == 0 {
            self.state = TRAILER;
            self.lines = Lines { at: AT_START };
        } else {
            // With the CRLF behind it.
            self.state = CHUNK;
            self.remaining = self.number + 2;
        }
        Fed::More
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{vec, vec::Vec};

    use super::*;

    /// Feeds bytes as the kernel side does; where each message ended, and what stopped it.
    fn ends(mut bytes: &[u8], bodiless: bool) -> (Vec<usize>, Option<Fed>) {
        let (all, mut ends, mut framer) = (bytes.len(), Vec::new(), Framer::default());
        while let Some((&byte, rest)) = bytes.split_first() {
            let opaque = usize::try_from(framer.opaque()).expect("64 bits");
            let fed = if opaque > 0 {
                let count = opaque.min(bytes.len());
                bytes = &bytes[count..];
                framer.pass(count as u64)
            } else if let Some(word) = bytes.first_chunk::<8>()
                && framer.skims(u64::from_ne_bytes(*word))
            {
                bytes = &bytes[8..];
                Fed::More
            } else {
                bytes = rest;
                framer.feed(byte, bodiless)
            };
            match fed {
                Fed::More | Fed::Head | Fed::Interim => {}
                Fed::End => {
                    ends.push(all - bytes.len());
                    framer = Framer::default();
                }
                Fed::Broken => return (ends, Some(fed)),
            }
        }
        (ends, None)
    }

    #[test]
    fn a_message_ends_where_rfc_9112_says() {
        for (head, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"),
            (
                "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-LENGTH:5 \r\nDate: y\r\n\r\n",
                "hello",
            ),
            (
                "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\n\n",
                "hello",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", ""),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ""),
            (
                "HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\nContent-Lengths: 8\r\nContent-Length: 1\r\n\r\n",
                "x",
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n",
                "ok",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "0\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n",
                "5\r\nhello\r\n0\r\n\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding:chunked\r\n\r\n",
                "B;x=\"1\"\r\n0123\r\n0\r\n\r\n\r\n00\r\nTrailer: a\r\n\r\n",
            ),
        ] {
            let twice = [head, body, head, body].concat();
            let one = twice.len() / 2;
            assert_eq!(
                ends(twice.as_bytes(), false),
                (vec![one, 2 * one], None),
                "{head:?}"
            );
        }
    }

    #[test]
    fn an_answer_to_head_ends_at_its_blank_line() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(ends(head.as_bytes(), true), (vec![head.len()], None));
    }

    #[test]
    fn what_ends_with_the_connection_has_no_end_of_its_own() {
        for head in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 1\r\n\r\n",
        ] {
            let bytes = [head, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"].concat();
            assert_eq!(ends(bytes.as_bytes(), false), (vec![], None), "{head}");
        }
    }

    #[test]
    fn what_is_not_certain_is_broken() {
        for bytes in [
            "GET / HTTP/1.1\r\n",
            "HTTP/2 200\r\n",
            "HTTP/1.1 2x0 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ] {
            assert_eq!(
                ends(bytes.as_bytes(), false),
                (vec![], Some(Fed::Broken)),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_line_feed_is_found_at_any_place() {
        assert!(!has_line_feed(u64::from_ne_bytes(
            *b"\x0b\x09\r\x8a\0\xffxy"
        )));
        for at in 0..8 {
            let mut bytes = *b"abcdefgh";
            bytes[at] = LF;
            assert!(has_line_feed(u64::from_ne_bytes(bytes)), "{at}");
        }
    }
}
