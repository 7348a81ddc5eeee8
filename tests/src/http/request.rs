//! The requests of a connection, one behind another.

use std::time::Duration;

use anyhow::Result;

use super::{
    body::{Chunks, chunks},
    connection::Connection,
    flow::{FIRST, Flow},
    head::Framing,
};

pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// When its first byte came.
    pub(super) time: Duration,
    /// What the client had of the server's bytes then.
    pub(super) ack: u64,
    next: Next,
}

/// Where another request would begin.
#[derive(Clone, Copy)]
enum Next {
    At(u64),
    /// Where a segment does, from here on.
    Behind(u64),
    Nowhere,
}

/// The first request.
pub(super) fn first(connection: &Connection) -> Result<Option<Request>> {
    let next = match connection.is_from_start {
        true => Next::At(FIRST),
        false => Next::Behind(0),
    };
    find(connection, next)
}

impl Request {
    /// The request behind this one.
    pub(super) fn following(&self, connection: &Connection) -> Result<Option<Self>> {
        find(connection, self.next)
    }
}

fn find(connection: &Connection, next: Next) -> Result<Option<Request>> {
    let flow = &connection.requests;
    match next {
        Next::At(at) => read(flow, at),
        Next::Behind(from) => {
            // Of what only looks like a request, bytes may lack.
            let read = |at| read(flow, at).ok().flatten();
            Ok(flow.starts(from).filter_map(read).find(is_plain))
        }
        Next::Nowhere => Ok(None),
    }
}

fn read(flow: &Flow, at: u64) -> Result<Option<Request>> {
    let at = behind_empty_lines(flow, at);
    let Some(head) = flow.head(at, may_begin)? else {
        return Ok(None);
    };
    let (Some((method, target)), Some(piece)) = (asked(&head.line), flow.piece(at)) else {
        return Ok(None);
    };
    let behind = at + head.len;
    let next = match (head.is_whole, head.framing()) {
        (false, _) => Next::Nowhere,
        (true, Framing::Length(len)) => Next::At(behind.saturating_add(len)),
        (true, Framing::Unsaid) => Next::At(behind),
        (true, Framing::Chunked) => match chunks(flow, behind) {
            Chunks::End(end) => Next::At(end),
            Chunks::Unfinished => Next::Nowhere,
            Chunks::Unreadable => Next::Behind(behind),
        },
    };
    Ok(Some(Request {
        method,
        target,
        time: piece.time,
        ack: piece.ack.unwrap_or_default(),
        next,
    }))
}

/// Some clients send one behind a body (RFC 9112, 2.2).
fn behind_empty_lines(flow: &Flow, at: u64) -> u64 {
    let ends = |byte: &&u8| matches!(**byte, b'\r' | b'\n');
    let empty = flow.kept(at).unwrap_or_default();
    let empty = empty.iter().take_while(ends).count() as u64;
    if empty == 0 {
        return at;
    }
    behind_empty_lines(flow, at + empty)
}

/// A method is a token.
fn may_begin(bytes: &[u8]) -> bool {
    let method = bytes.split(|byte| *byte == b' ').next();
    method.is_some_and(|method| !method.is_empty() && method.iter().all(is_token))
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// As all clients write it; a line of a body may look like any other.
fn is_plain(request: &Request) -> bool {
    let is_upper = |byte: u8| byte.is_ascii_uppercase();
    request.method.bytes().all(is_upper) && !request.target.contains(' ')
}

/// Method and target.
fn asked(line: &[u8]) -> Option<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let space = |byte: &u8| *byte == b' ';
    let first = line.iter().position(space)?;
    let last = line.iter().rposition(space)?;
    let target = line.get(first + 1..last)?;
    let is_http1 = line[last + 1..].starts_with(b"HTTP/1.");
    let is_request = is_http1 && !target.is_empty() && may_begin(line);
    is_request.then(|| (text(&line[..first]), text(target)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_has_three_parts() {
        let check = |line: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(method, target)| (method.to_owned(), target.to_owned()));
            assert_eq!(asked(line.as_bytes()), expected, "{line}");
        };
        check("GET / HTTP/1.0", Some(("GET", "/")));
        check("M-SEARCH * HTTP/1.1", Some(("M-SEARCH", "*")));
        check("GET /a b HTTP/1.1", Some(("GET", "/a b")));
        check("GET /", None);
        check("GET  HTTP/1.1", None);
        check("PRI * HTTP/2.0", None);
        check("HTTP/1.1 200 OK", None);
        check("\u{16}\u{3} / HTTP/1.1", None);
    }
}
