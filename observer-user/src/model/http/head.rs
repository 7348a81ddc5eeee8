//! Request and response heads, read with `httparse`, and the framing they announce
//! (RFC 9112 6.3).

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig};

use super::{Method, Status};

/// More header fields than any boot client or server sends; Apache refuses more than 100.
const FIELDS: usize = 128;

/// A first line and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// The first line is not there yet.
    Incomplete,
    /// The first line is there, the blank line is not.
    FirstLine(T),
    /// The first line is there, and what follows it cannot be read.
    Broken(T),
    /// All is there; `len` bytes long.
    Whole(T, usize),
    /// Not HTTP/1.
    Malformed,
}

/// What a request head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// How.
    pub method: Method,
    /// The request target, as sent.
    pub target: &'a [u8],
    /// The length of its body, if it is known beforehand.
    pub body: Option<u64>,
    /// CONNECT: a 2xx makes a tunnel of the connection.
    pub connects: bool,
}

/// What a response head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status.
    pub status: Status,
    /// Where the body ends.
    pub framing: Framing,
    /// True for what goes on for as long as somebody listens: server-sent events, and 101.
    pub streams: bool,
    /// True if the connection ends behind it.
    pub closes: bool,
}

/// Where a response's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// Reads a request head from its first bytes.
pub fn read_request(bytes: &[u8]) -> Read<RequestHead<'_>> {
    // Four kilobytes, of which a boot client's fields are a tenth: cleared, they would cost more
    // than they are read for.
    let mut fields = [MaybeUninit::uninit(); FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, &mut fields);
    let line = match (request.method, request.path, request.version) {
        (Some(method), Some(target), Some(_)) => Some(RequestHead {
            method: Method::parse(method),
            target: target.as_bytes(),
            body: None,
            connects: method == "CONNECT",
        }),
        _ => None,
    };
    match (parsed, line) {
        (Ok(httparse::Status::Complete(len)), Some(line)) => {
            let body = request_body(request.headers);
            Read::Whole(RequestHead { body, ..line }, len)
        }
        (Ok(httparse::Status::Partial), Some(line)) => Read::FirstLine(line),
        (Ok(_), None) => Read::Incomplete,
        // The request line is good, so it is a request; the server may refuse it.
        (Err(_), Some(line)) => Read::Broken(line),
        (Err(_), None) => Read::Malformed,
    }
}

/// Reads a response head from its first bytes. `asked` decides whether it has a body.
pub fn read_response(bytes: &[u8], asked: Method) -> Read<ResponseHead> {
    let mut fields = [MaybeUninit::uninit(); FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let mut lenient = ParserConfig::default();
    lenient
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    let parsed = lenient.parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    let status = response.code.and_then(Status::new);
    let unframed = |status| ResponseHead {
        status,
        framing: Framing::Close,
        streams: false,
        closes: true,
    };
    match (parsed, status) {
        (Ok(httparse::Status::Complete(len)), Some(status)) => {
            let version = response.version.unwrap_or_default();
            Read::Whole(whole(asked, status, version, response.headers), len)
        }
        (Ok(httparse::Status::Partial), Some(status)) => Read::FirstLine(unframed(status)),
        (Ok(httparse::Status::Partial), None) => Read::Incomplete,
        (Err(_), Some(status)) => Read::Broken(unframed(status)),
        (Ok(httparse::Status::Complete(_)) | Err(_), None) => Read::Malformed,
    }
}

fn whole(asked: Method, status: Status, version: u8, fields: &[Header<'_>]) -> ResponseHead {
    let framing = response_framing(asked, status, fields);
    let connection = |option: &[u8]| {
        named(fields, "connection")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|found| found.trim_ascii().eq_ignore_ascii_case(option))
    };
    ResponseHead {
        status,
        framing,
        streams: status.is_upgrade() || (asked != Method::Head && is_event_stream(fields)),
        closes: framing == Framing::Close
            || connection(b"close")
            || (version == 0 && !connection(b"keep-alive")),
    }
}

/// Server-sent events (WHATWG HTML 9.2.5): its media type, with or without parameters.
fn is_event_stream(fields: &[Header<'_>]) -> bool {
    named(fields, "content-type").any(|value| {
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default();
        media_type
            .trim_ascii()
            .eq_ignore_ascii_case(b"text/event-stream")
    })
}

fn response_framing(asked: Method, status: Status, fields: &[Header<'_>]) -> Framing {
    if asked == Method::Head || status.has_no_body() {
        return Framing::Length(0);
    }
    if is_chunked(fields) {
        return Framing::Chunked;
    }
    content_length(fields).map_or(Framing::Close, Framing::Length)
}

fn request_body(fields: &[Header<'_>]) -> Option<u64> {
    if is_chunked(fields) {
        None
    } else {
        Some(content_length(fields).unwrap_or(0))
    }
}

/// Transfer-Encoding whose last coding is chunked.
fn is_chunked(fields: &[Header<'_>]) -> bool {
    named(fields, "transfer-encoding")
        .last()
        .is_some_and(|value| {
            let last = value
                .rsplit(|byte| *byte == b',')
                .next()
                .unwrap_or_default();
            last.trim_ascii().eq_ignore_ascii_case(b"chunked")
        })
}

/// Content-Length, if it is one number; a list of equal ones is one (RFC 9110 8.6).
fn content_length(fields: &[Header<'_>]) -> Option<u64> {
    let mut lengths = named(fields, "content-length")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|value| {
            std::str::from_utf8(value.trim_ascii())
                .ok()?
                .parse::<u64>()
                .ok()
        });
    let first = lengths.next()??;
    lengths.all(|other| other == Some(first)).then_some(first)
}

fn named<'a>(fields: &'a [Header<'a>], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(asked: Method, head: &str) -> Framing {
        let Read::Whole(found, _) = read_response(head.as_bytes(), asked) else {
            panic!("{head:?} is whole");
        };
        found.framing
    }

    #[test]
    fn framing_follows_rfc_9112() {
        use Framing::{Chunked, Close, Length};
        for (asked, head, expected) in [
            (
                Method::Get,
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                Length(5),
            ),
            (
                Method::Get,
                "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
                Length(5),
            ),
            (
                Method::Get,
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
                Close,
            ),
            (
                Method::Get,
                "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                Close,
            ),
            (Method::Get, "HTTP/1.1 200 OK\r\n\r\n", Close),
            (
                Method::Head,
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                Length(0),
            ),
            (
                Method::Get,
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
                Length(0),
            ),
            (Method::Get, "HTTP/1.1 204 No Content\r\n\r\n", Length(0)),
            (
                Method::Post,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                Chunked,
            ),
            (
                Method::Get,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 5\r\n\r\n",
                Chunked,
            ),
            (
                Method::Get,
                "HTTP/1.1 206 Partial Content\ncontent-length:7\n\n",
                Length(7),
            ),
        ] {
            assert_eq!(framing(asked, head), expected, "{head:?}");
        }
    }

    #[test]
    fn a_request_is_known_from_its_first_line_on() {
        let whole = b"GET /boot/x HTTP/1.1\r\nHost: a\r\n\r\n";
        let line = b"GET /boot/x HTTP/1.1\r\n".len();
        for end in 0..whole.len() {
            let read = read_request(&whole[..end]);
            if end < line - 2 {
                assert_eq!(read, Read::Incomplete, "{end}");
            } else {
                let head = RequestHead {
                    method: Method::Get,
                    target: b"/boot/x",
                    body: None,
                    connects: false,
                };
                assert_eq!(read, Read::FirstLine(head), "{end}");
            }
        }
        let Read::Whole(head, len) = read_request(whole) else {
            panic!("whole")
        };
        assert_eq!(
            (head.target, head.body, len),
            (&b"/boot/x"[..], Some(0), whole.len())
        );
    }

    #[test]
    fn what_is_not_http_is_malformed() {
        assert_eq!(read_request(b"\x16\x03\x01\x02\x00\x01"), Read::Malformed);
        assert_eq!(
            read_response(b"SSH-2.0-OpenSSH\r\n", Method::Get),
            Read::Malformed
        );
    }
}
