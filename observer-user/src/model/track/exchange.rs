//! One request and its answer.

use observer_common::{
    conn::Conn,
    flow::{FLAG_FIN, FLAG_RST},
};

use super::assembly::Assembly;
use crate::model::{
    classify::{Classifier, Endpoint, Proto, Subject},
    event::Event,
    fact::{Asked, ExchangeId, Fact, Outcome},
    http::{Framing, Read, RequestHead, Status, read_request, read_response},
    loss::Loss,
};

/// An event this old that was not in the ring is lost: it is handed over within microseconds,
/// unless its CPU was taken away.
pub(super) const OVERDUE_NS: u64 = 1_000_000_000;

/// A turn under way.
#[derive(Debug)]
pub(super) struct Exchange {
    id: ExchangeId,
    request: Request,
    response: Response,
}

#[derive(Debug)]
enum Request {
    /// The first line is not there yet.
    Head(Assembly),
    /// The first line is there; the rest of the head may still come.
    Line { asked: Asked, head: Assembly },
    /// All is known.
    Whole { asked: Asked, end: Option<u64> },
}

#[derive(Debug)]
enum Response {
    /// The head is not whole yet. `before` bytes of interim heads came first; `status` is
    /// known once the status line is there.
    Head {
        head: Assembly,
        before: u64,
        status: Option<Status>,
    },
    /// The head is known; `end` is the turn's last byte, if it can be known.
    Body { status: Status, end: Option<u64> },
    /// A status line, or not even that: it ends with the connection.
    Opaque { status: Option<Status> },
}

impl Exchange {
    pub(super) fn new(id: ExchangeId) -> Self {
        Self {
            id,
            request: Request::Head(Assembly::default()),
            response: Response::Head {
                head: Assembly::default(),
                before: 0,
                status: None,
            },
        }
    }

    pub(super) fn turn(&self) -> u32 {
        self.id.turn
    }

    pub(super) fn adopted(&mut self, cookie: u64) {
        self.id.cookie = cookie;
    }

    /// Takes a piece of the request's head. False if it is not HTTP.
    pub(super) fn on_request_piece(
        &mut self,
        event: &Event<'_>,
        classifier: &Classifier,
        facts: &mut Vec<Fact>,
    ) -> bool {
        let (head, asked) = match &mut self.request {
            Request::Head(head) => (head, None),
            Request::Line { asked, head } => (head, Some(*asked)),
            Request::Whole { .. } => return true,
        };
        head.push(event.header.offset, event.data);
        let conn = &event.header.conn;
        match read_request(head.bytes()) {
            Read::Malformed => return false,
            Read::Incomplete if head.is_full() => return false,
            Read::Incomplete => {}
            Read::FirstLine(line) | Read::Broken(line) => {
                let asked = asked.unwrap_or_else(|| begin(self.id, &line, conn, classifier, facts));
                if head.is_full() {
                    facts.push(Fact::Lost(Loss::HeadTruncated));
                    self.request = Request::Whole { asked, end: None };
                } else {
                    let head = std::mem::take(head);
                    self.request = Request::Line { asked, head };
                }
            }
            Read::Whole(line, len) => {
                let asked = asked.unwrap_or_else(|| begin(self.id, &line, conn, classifier, facts));
                let end = line.body.map(|body| len as u64 + body);
                self.request = Request::Whole { asked, end };
            }
        }
        true
    }

    /// True if the client sent more than this request without waiting for the answer.
    pub(super) fn is_pipelined(&self, conn: &Conn) -> bool {
        let end = match &self.request {
            Request::Whole { end, .. } => *end,
            Request::Head(_) | Request::Line { .. } => None,
        };
        conn.request.turn == self.id.turn && end.is_some_and(|end| conn.request.bytes > end)
    }

    /// Takes a piece of the response's head.
    pub(super) fn on_response_piece(&mut self, event: &Event<'_>, facts: &mut Vec<Fact>) {
        let Some(asked) = self.asked().copied() else {
            return;
        };
        let Response::Head {
            head,
            before,
            status,
        } = &mut self.response
        else {
            return;
        };
        if let Request::Line { .. } = self.request {
            // Pieces beyond the bound, or that overtook others, were not handed over.
            self.request = Request::Whole { asked, end: None };
            facts.push(Fact::Lost(Loss::HeadTruncated));
        }
        let offset = u64::from(event.header.offset).saturating_sub(*before);
        head.push(u32::try_from(offset).unwrap_or(u32::MAX), event.data);
        loop {
            match read_response(head.bytes(), asked.method) {
                Read::Whole(found, len) if found.status.is_interim() => {
                    head.skip(len);
                    *before += len as u64;
                }
                Read::Whole(found, len) => {
                    let end = match found.framing {
                        Framing::Length(body) => Some(*before + len as u64 + body),
                        Framing::Chunked | Framing::Close => None,
                    };
                    let status = found.status;
                    self.response = Response::Body { status, end };
                    facts.push(answered(self.id, status, &event.header.conn));
                    return;
                }
                Read::FirstLine(found) if !head.is_full() => {
                    *status = Some(found.status);
                    return;
                }
                Read::FirstLine(found) | Read::Broken(found) => {
                    let status = found.status;
                    self.response = Response::Opaque {
                        status: Some(status),
                    };
                    facts.push(Fact::Lost(Loss::HeadTruncated));
                    facts.push(answered(self.id, status, &event.header.conn));
                    return;
                }
                Read::Malformed => {
                    self.response = Response::Opaque { status: None };
                    facts.push(Fact::Lost(Loss::Undecodable));
                    return;
                }
                Read::Incomplete => return,
            }
        }
    }

    /// True if the response's last byte was sent.
    pub(super) fn is_complete(&self, conn: &Conn) -> bool {
        if conn.response.turn != self.id.turn {
            return false;
        }
        match &self.response {
            Response::Body { end: Some(end), .. } => conn.response.bytes >= *end,
            // With the connection: a server that closes its side has said all.
            Response::Body { end: None, .. } | Response::Opaque { .. } => {
                conn.response.flags & FLAG_FIN != 0
            }
            Response::Head { .. } => false,
        }
    }

    /// True if nothing more will come: it is complete, or the connection is closed. What of
    /// the response is not read yet is still in the ring.
    pub(super) fn is_over(&self, conn: &Conn) -> bool {
        let is_current = conn.request.turn == self.id.turn;
        let is_unread =
            conn.response.turn == self.id.turn && matches!(self.response, Response::Head { .. });
        self.is_complete(conn) || (is_current && !is_unread && conn.is_closed())
    }

    /// True if an event of it, or of the exchange behind it, was lost: how it ended cannot be
    /// told. The event is counted as lost already, by the kernel side.
    pub(super) fn has_a_gap(&self, conn: &Conn) -> bool {
        let ahead = |turn: u32| turn.wrapping_sub(self.id.turn).cast_signed();
        let unread = match &self.response {
            Response::Head { head, before, .. } => *before == 0 && head.bytes().is_empty(),
            Response::Body { .. } | Response::Opaque { .. } => false,
        };
        ahead(conn.request.turn) > 1
            || ahead(conn.response.turn) > 0
            || (ahead(conn.response.turn) == 0 && unread)
    }

    /// True if the kernel's entry shows what an event should have told long since: that event was
    /// lost, and no other need come while the connection rests.
    pub(super) fn is_overdue(&self, conn: &Conn, now_ns: u64) -> bool {
        let since = if conn.request.turn != self.id.turn {
            conn.request.first_ns
        } else if self.has_a_gap(conn) {
            conn.response.first_ns
        } else {
            return false;
        };
        now_ns.saturating_sub(since) >= OVERDUE_NS
    }

    /// True if the response has an end of its own and did not reach it.
    pub(super) fn is_short(&self, conn: &Conn) -> bool {
        let ends = match &self.response {
            Response::Body { end, .. } => end.is_some(),
            Response::Head { .. } => true,
            Response::Opaque { .. } => false,
        };
        ends && !self.is_complete(conn)
    }

    /// Ends it; nothing is told of a request whose first line never came.
    pub(super) fn end(&self, conn: &Conn, now_ns: u64, outcome: Outcome, facts: &mut Vec<Fact>) {
        let Some(asked) = self.asked() else { return };
        let answered = conn.response.turn == self.id.turn;
        // Without an answer it lasted until somebody gave up.
        let last_ns = if answered {
            conn.response.last_ns
        } else {
            now_ns
        };
        facts.push(Fact::Ended {
            id: self.id,
            asked: *asked,
            status: self.status(),
            duration_ns: last_ns.saturating_sub(asked.begun_ns),
            response_bytes: if answered { conn.response.bytes } else { 0 },
            outcome,
        });
    }

    /// How it ends when its connection does.
    pub(super) fn outcome_at_close(&self, conn: &Conn) -> Outcome {
        if self.is_complete(conn) || (!self.is_short(conn) && conn.response.flags & FLAG_RST == 0) {
            return Outcome::Complete;
        }
        if conn.request.flags & (FLAG_FIN | FLAG_RST) != 0 {
            Outcome::AbortedByClient
        } else {
            Outcome::AbortedByServer
        }
    }

    /// The endpoint, from the first line on.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        self.asked().map(|asked| asked.class.endpoint)
    }

    fn asked(&self) -> Option<&Asked> {
        match &self.request {
            Request::Head(_) => None,
            Request::Line { asked, .. } | Request::Whole { asked, .. } => Some(asked),
        }
    }

    fn status(&self) -> Option<Status> {
        match &self.response {
            Response::Body { status, .. } => Some(*status),
            Response::Head { status, .. } | Response::Opaque { status } => *status,
        }
    }
}

fn begin(
    id: ExchangeId,
    line: &RequestHead<'_>,
    conn: &Conn,
    classifier: &Classifier,
    facts: &mut Vec<Fact>,
) -> Asked {
    let subject = Subject {
        proto: Proto::Http,
        access: line.method.access(),
        target: line.target,
    };
    let asked = Asked {
        tuple: conn.tuple,
        method: line.method,
        class: classifier.classify(subject),
        begun_ns: conn.request.first_ns,
    };
    facts.push(Fact::Begun { id, asked });
    asked
}

fn answered(id: ExchangeId, status: Status, conn: &Conn) -> Fact {
    Fact::Answered {
        id,
        status,
        at_ns: conn.response.first_ns,
    }
}
