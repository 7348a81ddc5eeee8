//! The response to a request, and the interim ones before it.

use anyhow::Result;

use super::{
    body::{Chunks, chunks},
    connection::{Connection, Event},
    flow::Flow,
    head::{Framing, Head},
    request::Request,
};

pub(super) struct Answer {
    pub(super) start: u64,
    pub(super) status: Option<u16>,
    /// Of the interim responses and the final one.
    pub(super) statuses: Vec<u16>,
    /// Behind its last byte; `None` if that is not known, or not to come.
    pub(super) end: Option<u64>,
    /// What follows is no HTTP.
    pub(super) is_upgrade: bool,
}

/// Reads the answer that begins at `start`. `next` is the request behind its own.
pub(super) fn read(
    connection: &Connection,
    start: u64,
    request: &Request,
    next: Option<&Request>,
) -> Result<Answer> {
    let flow = &connection.responses;
    let mut answer = Answer {
        start,
        status: None,
        statuses: Vec::new(),
        end: None,
        is_upgrade: false,
    };
    let mut at = start;
    while let Some(head) = flow.head(at, may_begin)? {
        let Some(status) = status(&head.line) else {
            break;
        };
        answer.statuses.push(status);
        let is_interim = (100..200).contains(&status) && status != 101;
        if !is_interim {
            answer.status = Some(status);
        }
        if !head.is_whole {
            break;
        }
        at += head.len;
        if !is_interim {
            let connect = request.method == "CONNECT" && (200..300).contains(&status);
            answer.is_upgrade = status == 101 || connect;
            answer.end = end(connection, at, &head, &answer, request, next);
            break;
        }
    }
    if let (Some(end), Some(next), false) = (answer.end, next, answer.is_upgrade) {
        // What a server sends before it is asked again belongs to the answer, as wrong as it is.
        let had = next.ack.min(flow.fin.unwrap_or(u64::MAX));
        answer.end = Some(end.max(had));
    }
    Ok(answer)
}

/// The first response head from this position on: there, or where a segment begins with it.
pub(super) fn begin(flow: &Flow, from: u64) -> u64 {
    let is_head = |at: &u64| flow.kept(*at).is_some_and(may_begin);
    if is_head(&from) {
        return from;
    }
    flow.starts(from).find(is_head).unwrap_or(from)
}

/// Rules of RFC 9112, 6.3.
fn end(
    connection: &Connection,
    behind: u64,
    head: &Head,
    answer: &Answer,
    request: &Request,
    next: Option<&Request>,
) -> Option<u64> {
    let flow = &connection.responses;
    if answer.is_upgrade {
        return flow.fin;
    }
    if request.method == "HEAD" || matches!(answer.status, Some(204 | 304)) {
        return Some(behind);
    }
    match head.framing() {
        Framing::Length(len) => Some(behind.saturating_add(len)),
        Framing::Unsaid => flow.fin,
        Framing::Chunked => match chunks(flow, behind) {
            Chunks::End(end) => Some(end),
            Chunks::Unfinished => None,
            Chunks::Unreadable => match next {
                Some(next) => Some(begin(flow, next.ack.max(behind))),
                None => fin_before_reset(connection),
            },
        },
    }
}

fn fin_before_reset(connection: &Connection) -> Option<u64> {
    let mut events = connection.events.iter();
    let first = events.find(|event| matches!(event, Event::ServerFin(_) | Event::ClientReset));
    match first {
        Some(Event::ServerFin(at)) => Some(*at),
        Some(Event::ClientFin | Event::ClientReset | Event::ServerReset) | None => None,
    }
}

fn may_begin(bytes: &[u8]) -> bool {
    let begin = b"HTTP/1.";
    let len = bytes.len().min(begin.len());
    len > 0 && bytes[..len] == begin[..len]
}

fn status(line: &[u8]) -> Option<u16> {
    let code = line.split(|byte| *byte == b' ').nth(1)?;
    let is_status = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
    is_status.then(|| str::from_utf8(code).ok()?.parse().ok())?
}
