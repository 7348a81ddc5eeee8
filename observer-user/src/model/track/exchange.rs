//! One request and its answer.

use observer_common::{
    conn::{Conn, Tuple},
    flow::{FLAG_FIN, FLAG_FOLLOWED, FLAG_FRAMED, FLAG_RST, is_after},
};

use super::{assembly::Assembly, phases::Stamps};
use crate::model::{
    classify::{Classifier, Endpoint, Proto, Subject},
    event::Event,
    fact::{Asked, ExchangeId, Fact, Outcome, Side},
    http::{Framing, Read, RequestHead, ResponseHead, Status, read_request, read_response},
    limiter::{Reading, Sampled},
    loss::Loss,
    stall::{Standstill, WaitsFor},
    unread::Unread,
};

/// An event this old that was not in the ring is lost: it is handed over within microseconds,
/// unless its CPU was taken away.
pub(super) const OVERDUE_NS: u64 = 1_000_000_000;

/// A turn under way, or answered and not wholly acknowledged.
#[derive(Debug)]
pub(super) struct Exchange {
    id: ExchangeId,
    request: Request,
    response: Response,
    stamps: Stamps,
    moved: Moved,
    /// Of the few that are sent for so long that their clocks were read.
    sampled: Option<Box<Sampled>>,
    /// When the last byte of its answer was sent, so far.
    sent_ns: u64,
    /// By the client's highest acknowledgement, while the answer is being sent.
    standstill: Option<Standstill<u32>>,
    state: State,
}

#[derive(Debug)]
enum Request {
    /// The first line is not there yet.
    Head(Assembly),
    /// The first line is there; the rest of the head may still come.
    Line { asked: Asked, head: Assembly },
    /// All is known that will be.
    Whole { asked: Asked, body: Option<Body> },
}

/// A request's body: the length of the head before it, and the turn's last byte where that is
/// known beforehand.
#[derive(Clone, Copy, Debug)]
struct Body {
    head: u64,
    end: Option<u64>,
    connects: bool,
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
    /// The head is known.
    Body(Answer),
    /// A status line, or not even that: it ends with the connection.
    Opaque { status: Option<Status> },
}

/// A response whose head is known.
#[derive(Clone, Copy, Debug)]
struct Answer {
    status: Status,
    /// Bytes of the turn before the body.
    head: u64,
    framing: Framing,
    /// The connection ends behind it.
    closes: bool,
    /// The kernel side, which follows the framing of pipelined answers, told its end.
    framed: bool,
}

/// What was told of the payload so far.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    request: u64,
    response: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    UnderWay,
    /// It has left the exchanges in flight at its head.
    Streaming,
    /// The last byte was sent; the client has not acknowledged it yet.
    Draining {
        sent_ns: u64,
        end_seq: u32,
        bytes: u64,
    },
}

/// `CRLF 0 CRLF CRLF`: what a chunked body ends with (RFC 9112 7.1), if it has no trailer.
const LAST_CHUNK: u64 = u64::from_be_bytes(*b"\0\r\n0\r\n\r\n");
const LAST_CHUNK_MASK: u64 = u64::MAX >> 8;
const BLANK_LINE: u64 = u64::from_be_bytes(*b"\0\0\0\0\r\n\r\n");
const BLANK_LINE_MASK: u64 = u64::MAX >> 32;

impl Exchange {
    pub(super) fn new(id: ExchangeId, begun_ns: u64) -> Self {
        Self {
            id,
            request: Request::Head(Assembly::default()),
            response: Response::Head {
                head: Assembly::default(),
                before: 0,
                status: None,
            },
            stamps: Stamps {
                begun: begun_ns,
                head: begun_ns,
                received: begun_ns,
                ..Stamps::default()
            },
            moved: Moved::default(),
            sampled: None,
            sent_ns: 0,
            standstill: None,
            state: State::UnderWay,
        }
    }

    pub(super) fn turn(&self) -> u32 {
        self.id.turn
    }

    pub(super) fn adopted(&mut self, cookie: u64) {
        self.id.cookie = cookie;
    }

    /// The endpoint, from the first line on.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        self.asked().map(|asked| asked.class.endpoint)
    }

    /// When its first line was complete.
    pub(super) fn line_ns(&self) -> Option<u64> {
        self.asked().map(|asked| asked.line_ns)
    }

    /// True from its first line to its last byte sent.
    pub(super) fn is_in_flight(&self) -> bool {
        self.state == State::UnderWay && self.asked().is_some()
    }

    /// Between whom, from the first byte of its answer to the last.
    pub(super) fn is_sent_between(&self) -> Option<Tuple> {
        let is_sent = self.is_in_flight() && self.is_answered();
        self.asked().filter(|_| is_sent).map(|asked| asked.tuple)
    }

    /// True while its first line is incomplete.
    pub(super) fn is_incomplete(&self) -> bool {
        self.state == State::UnderWay && self.asked().is_none()
    }

    /// True once it has become a stream.
    pub(super) fn is_streaming(&self) -> bool {
        self.state == State::Streaming
    }

    /// True if the last byte was sent.
    pub(super) fn is_draining(&self) -> bool {
        matches!(self.state, State::Draining { .. })
    }

    /// True if no process has taken it up.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_in_flight() && self.stamps.picked.is_none() && self.stamps.answered.is_none()
    }

    /// Whom it waits for, if it is in flight, its answer has begun, and for so many nanoseconds
    /// nothing of it was acknowledged.
    pub(super) fn stalled(&self, after_ns: u64) -> Option<WaitsFor> {
        let is_sent = self.is_in_flight() && self.is_answered();
        let standstill = self.standstill.filter(|_| is_sent);
        standstill.and_then(|standstill| standstill.lasting(after_ns))
    }

    /// True if the connection was to end behind its answer.
    pub(super) fn closes(&self) -> bool {
        match &self.response {
            Response::Body(answer) => answer.closes,
            Response::Head { .. } => false,
            Response::Opaque { .. } => true,
        }
    }

    /// True if the server has begun to answer.
    pub(super) fn is_answered(&self) -> bool {
        self.stamps.answered.is_some()
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
        self.stamps.head = event.header.at_ns;
        let begun = (self.id, event.header.conn.tuple, self.stamps);
        if head.begins_with(event.header.offset)
            && let Read::Whole(line, len) = read_request(event.data)
        {
            self.request = whole(begin(begun, &line, classifier, facts), &line, len);
            return true;
        }
        head.push(event.header.offset, event.data);
        match read_request(head.bytes()) {
            Read::Malformed => return false,
            Read::Incomplete if head.is_full() => return false,
            Read::Incomplete => {}
            Read::FirstLine(line) | Read::Broken(line) => {
                let asked = asked.unwrap_or_else(|| begin(begun, &line, classifier, facts));
                if head.is_full() {
                    facts.push(Fact::Unread(Unread::RequestHeadTruncated));
                    self.request = Request::Whole { asked, body: None };
                } else {
                    let head = std::mem::take(head);
                    self.request = Request::Line { asked, head };
                }
            }
            Read::Whole(line, len) => {
                let asked = asked.unwrap_or_else(|| begin(begun, &line, classifier, facts));
                self.request = whole(asked, &line, len);
            }
        }
        true
    }

    /// True if the client sent more than this request without waiting for the answer.
    pub(super) fn is_exceeded(&self, conn: &Conn) -> bool {
        // An empty line behind it is none (RFC 9112 2.2).
        const EMPTY_LINE: u64 = 2;
        let end = self.body().and_then(|body| body.end);
        conn.request.turn == self.id.turn
            && end.is_some_and(|end| conn.request.bytes > end + EMPTY_LINE)
    }

    /// Takes a piece of the response's head.
    pub(super) fn on_response_piece(&mut self, event: &Event<'_>, facts: &mut Vec<Fact>) {
        let conn = &event.header.conn;
        if let Response::Body(answer) = &mut self.response {
            answer.framed |= conn.is_pipelined() && event.data.is_empty();
            return;
        }
        let Some(asked) = self.asked().copied() else {
            return;
        };
        if let Request::Line { .. } = self.request {
            // Pieces beyond the bound, or that overtook others, were not handed over.
            self.request = Request::Whole { asked, body: None };
            facts.push(Fact::Unread(Unread::RequestHeadTruncated));
        }
        let Response::Head {
            head,
            before,
            status,
        } = &mut self.response
        else {
            return;
        };
        if self.stamps.answered.is_none() {
            self.stamps.answered = Some(event.header.at_ns);
            if conn.request.turn == self.id.turn {
                self.stamps.received = conn.request.last_ns;
            }
        }
        if *before == 0
            && head.begins_with(event.header.offset)
            && let Read::Whole(found, len) = read_response(event.data, asked.method)
            && !found.status.is_interim()
        {
            self.on_response_head(asked, found, len as u64, facts);
            return;
        }
        let offset = u64::from(event.header.offset).saturating_sub(*before);
        head.push(u32::try_from(offset).unwrap_or(u32::MAX), event.data);
        loop {
            match read_response(head.bytes(), asked.method) {
                Read::Whole(found, len) if found.status.is_interim() => {
                    head.skip(len);
                    *before += len as u64;
                    if head.bytes().is_empty() {
                        self.stamps.answered = None;
                        return;
                    }
                }
                Read::Whole(found, len) => {
                    let head = *before + len as u64;
                    self.on_response_head(asked, found, head, facts);
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
                    facts.push(Fact::Unread(Unread::ResponseHeadTruncated));
                    self.tell_answered(status, facts);
                    return;
                }
                Read::Malformed => {
                    self.response = Response::Opaque { status: None };
                    facts.push(Fact::Unread(Unread::ResponseHead));
                    return;
                }
                Read::Incomplete => return,
            }
        }
    }

    fn on_response_head(
        &mut self,
        asked: Asked,
        found: ResponseHead,
        head: u64,
        facts: &mut Vec<Fact>,
    ) {
        let status = found.status;
        let connects = self.body().is_some_and(|body| body.connects);
        // From here on it is not HTTP.
        let tunnel = status.is_upgrade() || (connects && status.is_success());
        self.response = Response::Body(Answer {
            status,
            head,
            framing: if tunnel {
                Framing::Close
            } else {
                found.framing
            },
            closes: found.closes || tunnel,
            framed: false,
        });
        self.tell_answered(status, facts);
        if (found.streams || tunnel) && self.state == State::UnderWay {
            self.state = State::Streaming;
            facts.push(Fact::Streaming {
                id: self.id,
                asked,
                status,
                at_ns: self.answered_ns(),
            });
        }
    }

    fn tell_answered(&self, status: Status, facts: &mut Vec<Fact>) {
        facts.push(Fact::Answered {
            id: self.id,
            status,
            at_ns: self.answered_ns(),
        });
    }

    fn answered_ns(&self) -> u64 {
        self.stamps.answered.unwrap_or(self.stamps.begun)
    }

    /// Takes the connection as it stands at `now_ns`: who has taken the request up, what has
    /// moved, whether the last byte was sent.
    pub(super) fn on_progress(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        let pickup = &conn.pickup;
        if self.stamps.picked.is_none() && pickup.turn != 0 && !is_after(self.id.turn, pickup.turn)
        {
            self.stamps.picked = Some(pickup.ns);
        }
        if conn.response.turn == self.id.turn {
            self.sent_ns = conn.response.last_ns;
        }
        if !self.is_draining() && self.is_complete(conn) {
            self.end(conn, now_ns, Outcome::Complete, facts);
        }
        self.tell_moved(conn, facts);
        if self.is_answered() && self.is_in_flight() {
            let (place, waits_for) = (conn.ack.seq, waits_for(conn));
            let seen = Standstill::see(self.standstill, place, waits_for, now_ns);
            self.standstill = Some(seen);
        }
    }

    /// Takes its connection's clocks of while its answer is being sent.
    pub(super) fn on_clocks(&mut self, reading: Reading, facts: &mut Vec<Fact>) {
        let (Some(begun_ns), Some(asked)) = (self.stamps.answered, self.asked().copied()) else {
            return;
        };
        // Of the answer before it.
        if reading.at_ns < begun_ns {
            return;
        }
        let sampled = self.sampled.get_or_insert_default();
        if self.id.turn == 1 {
            sampled.begin(begun_ns, reading);
        }
        let limited = sampled.read(reading, self.sent_ns);
        if limited.sum() != 0 {
            facts.push(Fact::Limited { asked, limited });
        }
    }

    /// True if all of a response that was sent is acknowledged, which is told.
    pub(super) fn is_delivered(&self, conn: &Conn, facts: &mut Vec<Fact>) -> bool {
        let (
            State::Draining {
                sent_ns, end_seq, ..
            },
            Some(asked),
        ) = (self.state, self.asked().copied())
        else {
            return false;
        };
        if is_after(end_seq, conn.ack.seq) {
            return false;
        }
        // Stamped when all was acknowledged, which may be more than this one.
        let drain_ns = conn.ack.all_ns.checked_sub(sent_ns);
        facts.push(Fact::Delivered { asked, drain_ns });
        true
    }

    /// True if the response's last byte was sent.
    fn is_complete(&self, conn: &Conn) -> bool {
        if conn.response.turn != self.id.turn {
            return false;
        }
        let closed = conn.response.flags & FLAG_FIN != 0;
        match &self.response {
            Response::Body(answer) => match answer.framing {
                Framing::Length(body) => conn.response.bytes >= answer.head + body,
                Framing::Chunked => answer.framed || ends_its_chunks(conn, answer.head),
                // With the connection: a server that closes its side has said all.
                Framing::Close => closed,
            },
            Response::Opaque { .. } => closed,
            Response::Head { .. } => false,
        }
    }

    /// The same where nothing can follow any more: a blank line then may be the end of a
    /// trailer (RFC 9112 7.1.2).
    fn may_be_complete(&self, conn: &Conn) -> bool {
        let is_chunked = matches!(
            &self.response,
            Response::Body(answer) if answer.framing == Framing::Chunked
        );
        // Or nothing is known of its last bytes.
        let word = conn.response.word;
        let ends = !is_followed(conn) && (word == 0 || word & BLANK_LINE_MASK == BLANK_LINE);
        self.is_complete(conn) || (is_chunked && conn.response.turn == self.id.turn && ends)
    }

    /// True if nothing more will come: the connection is closed, and what of the response is
    /// not read yet is not in the ring either. What was all sent may yet be acknowledged.
    pub(super) fn is_cut(&self, conn: &Conn) -> bool {
        let is_current = conn.request.turn == self.id.turn;
        let is_unread =
            conn.response.turn == self.id.turn && matches!(self.response, Response::Head { .. });
        let is_reset = (conn.request.flags | conn.response.flags) & FLAG_RST != 0;
        let is_over = if self.is_draining() {
            is_reset
        } else {
            conn.is_closed()
        };
        is_current && !is_unread && is_over
    }

    /// True if an event of it, or of the exchange behind it, was lost: how it ended cannot be
    /// told. The event is counted as lost already, by the kernel side.
    pub(super) fn has_a_gap(&self, conn: &Conn) -> bool {
        let ahead = |turn: u32| turn.wrapping_sub(self.id.turn).cast_signed();
        let unread = match &self.response {
            Response::Head { head, before, .. } => *before == 0 && head.bytes().is_empty(),
            Response::Body(_) | Response::Opaque { .. } => false,
        };
        let overtaken = !conn.is_pipelined() && ahead(conn.request.turn) > 1;
        overtaken
            || ahead(conn.response.turn) > 0
            || self.is_head_lost(conn)
            || (ahead(conn.response.turn) == 0 && unread && !conn.is_opaque())
    }

    /// True if the kernel's entry shows what an event should have told long since: that event was
    /// lost, and no other need come while the connection rests.
    pub(super) fn is_overdue(&self, conn: &Conn, now_ns: u64) -> bool {
        let asked_again = !conn.is_pipelined() && conn.request.turn != self.id.turn;
        let since = if self.is_draining() {
            return false;
        } else if asked_again {
            conn.request.first_ns
        } else if self.has_a_gap(conn) {
            conn.response.first_ns
        } else {
            return false;
        };
        now_ns.saturating_sub(since) >= OVERDUE_NS
    }

    /// True if the first line is incomplete only because a piece of it was lost.
    fn missed_some(&self, conn: &Conn) -> bool {
        match &self.request {
            Request::Head(head) => {
                conn.request.turn == self.id.turn
                    && (head.bytes().len() as u64) < conn.request.bytes
            }
            Request::Line { .. } | Request::Whole { .. } => false,
        }
    }

    /// True if the kernel side saw the end of the response's head, and user space did not: a
    /// piece was lost.
    fn is_head_lost(&self, conn: &Conn) -> bool {
        let unread = matches!(self.response, Response::Head { .. });
        unread && conn.response.turn == self.id.turn && conn.response.head_done == 1
    }

    /// True if the response has an end of its own and did not reach it.
    pub(super) fn is_short(&self, conn: &Conn) -> bool {
        let ends = match &self.response {
            Response::Body(answer) => matches!(answer.framing, Framing::Length(_)),
            Response::Head { .. } => true,
            Response::Opaque { .. } => false,
        };
        ends && !self.is_complete(conn)
    }

    /// Ends it; nothing is told of a request whose first line never came.
    pub(super) fn end(
        &mut self,
        conn: &Conn,
        now_ns: u64,
        outcome: Outcome,
        facts: &mut Vec<Fact>,
    ) {
        let Some(asked) = self.asked().copied() else {
            if self.missed_some(conn) {
                facts.push(Fact::Lost(Loss::Swept));
            }
            return;
        };
        let answered = conn.response.turn == self.id.turn;
        // Without an answer it lasted until somebody gave up.
        let (last_ns, bytes) = if answered {
            (conn.response.last_ns, conn.response.bytes)
        } else {
            (now_ns, 0)
        };
        if self.state == State::UnderWay {
            let sampled = self.sampled.as_mut();
            let (limited, sampled_ns) = sampled
                .map(|sampled| sampled.end(last_ns))
                .unwrap_or_default();
            if limited.sum() != 0 {
                facts.push(Fact::Limited { asked, limited });
            }
            facts.push(Fact::Ended {
                id: self.id,
                asked,
                status: self.status(),
                phases: self.stamps.phases(last_ns),
                response_bytes: bytes,
                outcome,
                sampled_ns,
            });
        }
        self.state = State::Draining {
            sent_ns: last_ns,
            end_seq: conn.response.next_seq,
            bytes,
        };
    }

    /// The connection is gone, at `now_ns`: ends what has not ended, and tells what was not
    /// delivered. True if it was cut short.
    pub(super) fn close(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) -> bool {
        match self.state {
            State::Streaming => {
                self.tell_moved(conn, facts);
                true
            }
            State::UnderWay => {
                let outcome = self.outcome_at_close(conn);
                self.end(conn, now_ns, outcome, facts);
                self.tell_moved(conn, facts);
                outcome != Outcome::Complete || self.close_draining(conn, facts)
            }
            State::Draining { .. } => self.close_draining(conn, facts),
        }
    }

    fn close_draining(&self, conn: &Conn, facts: &mut Vec<Fact>) -> bool {
        let Some(asked) = self.asked().copied() else {
            return false;
        };
        let undelivered = !self.is_delivered(conn, facts);
        if undelivered {
            let side = who_ended(conn);
            facts.push(Fact::Undelivered { asked, side });
        }
        undelivered
    }

    /// How it ends when its connection does.
    fn outcome_at_close(&self, conn: &Conn) -> Outcome {
        let answered = conn.response.turn == self.id.turn;
        if self.may_be_complete(conn) && !self.is_reset_before_its_end(conn) {
            return Outcome::Complete;
        }
        let side = who_ended(conn);
        if !answered && side == Side::Timeout {
            // Closed without an answer, by whoever held it.
            return Outcome::Aborted(Side::Server);
        }
        Outcome::Aborted(side)
    }

    /// What ends with the connection only, and was reset by the client first.
    fn is_reset_before_its_end(&self, conn: &Conn) -> bool {
        let has_end = match &self.response {
            Response::Body(answer) => answer.framing != Framing::Close,
            Response::Head { .. } | Response::Opaque { .. } => false,
        };
        let (client, server) = (&conn.request, &conn.response);
        !has_end && client.flags & FLAG_RST != 0 && !is_later(client.end_ns, server.end_ns)
    }

    /// The exchange is not in the numbers.
    pub(super) fn drop_out(&self, loss: Loss, facts: &mut Vec<Fact>) {
        match (self.state, self.asked()) {
            (State::UnderWay, Some(asked)) => facts.push(Fact::Dropped {
                asked: *asked,
                loss,
            }),
            (State::UnderWay, None) => facts.push(Fact::Lost(loss)),
            // Counted already; only its last bytes are not known.
            (State::Streaming | State::Draining { .. }, _) => {}
        }
    }

    /// A request that nobody will answer: behind a response that closed the connection.
    pub(super) fn discard(&self, facts: &mut Vec<Fact>) {
        if let Some(asked) = self.asked().copied() {
            facts.push(Fact::Discarded { asked });
        }
    }

    /// Tells payload that has arrived where it was to go, since it was last told.
    fn tell_moved(&mut self, conn: &Conn, facts: &mut Vec<Fact>) {
        let Some(asked) = self.asked().copied() else {
            return;
        };
        let moved = Moved {
            request: self.request_moved(conn).max(self.moved.request),
            response: self.response_moved(conn).max(self.moved.response),
        };
        let request_bytes = moved.request - self.moved.request;
        let response_bytes = moved.response - self.moved.response;
        self.moved = moved;
        if request_bytes + response_bytes != 0 {
            facts.push(Fact::Moved {
                id: self.id,
                asked,
                request_bytes,
                response_bytes,
            });
        }
    }

    fn request_moved(&self, conn: &Conn) -> u64 {
        let Some(body) = self.body() else { return 0 };
        let ahead = conn.request.turn.wrapping_sub(self.id.turn).cast_signed();
        match (ahead, body.end) {
            (0, Some(end)) => conn.request.bytes.min(end).saturating_sub(body.head),
            (0, None) => conn.request.bytes.saturating_sub(body.head),
            // The next request comes behind the whole of this one.
            (1.., Some(end)) => end - body.head,
            (_, _) => 0,
        }
    }

    fn response_moved(&self, conn: &Conn) -> u64 {
        let Response::Body(answer) = &self.response else {
            return 0;
        };
        let acknowledged = match self.state {
            _ if conn.response.turn == self.id.turn => conn.acknowledged(),
            State::Draining { end_seq, bytes, .. } if !is_after(end_seq, conn.ack.seq) => bytes,
            State::UnderWay | State::Streaming | State::Draining { .. } => 0,
        };
        let body = acknowledged.saturating_sub(answer.head);
        match answer.framing {
            Framing::Length(length) => body.min(length),
            Framing::Chunked | Framing::Close => body,
        }
    }

    pub(super) fn asked(&self) -> Option<&Asked> {
        match &self.request {
            Request::Head(_) => None,
            Request::Line { asked, .. } | Request::Whole { asked, .. } => Some(asked),
        }
    }

    fn body(&self) -> Option<Body> {
        match &self.request {
            Request::Whole { body, .. } => *body,
            Request::Head(_) | Request::Line { .. } => None,
        }
    }

    fn status(&self) -> Option<Status> {
        match &self.response {
            Response::Body(answer) => Some(answer.status),
            Response::Head { status, .. } | Response::Opaque { status } => *status,
        }
    }
}

/// True once the last chunk was sent. Where the kernel side does not follow the chunks (before
/// 5.17, or without room) its form tells: behind a head, whose blank line may be what comes
/// before it.
fn ends_its_chunks(conn: &Conn, head: u64) -> bool {
    const SHORTEST: u64 = 5;
    if is_followed(conn) {
        return conn.response.flags & FLAG_FRAMED != 0;
    }
    conn.response.bytes >= head + SHORTEST && conn.response.word & LAST_CHUNK_MASK == LAST_CHUNK
}

fn is_followed(conn: &Conn) -> bool {
    conn.response.flags & FLAG_FOLLOWED != 0
}

/// Who has to do something for the answer to go on. A client that closed its window may have
/// acknowledged all that was sent, or not.
fn waits_for(conn: &Conn) -> WaitsFor {
    if conn.ack.window == 0 {
        WaitsFor::ClientWindow
    } else if conn.has_unacknowledged() {
        WaitsFor::Path
    } else {
        WaitsFor::Server
    }
}

/// Who closed or reset first.
fn who_ended(conn: &Conn) -> Side {
    let (client, server) = (&conn.request, &conn.response);
    let ended = |flags: u8| flags & (FLAG_FIN | FLAG_RST) != 0;
    match (ended(client.flags), ended(server.flags)) {
        (false, false) => Side::Timeout,
        (true, false) => Side::Client,
        (false, true) => Side::Server,
        (true, true) if is_later(client.end_ns, server.end_ns) => Side::Server,
        (true, true) => Side::Client,
    }
}

/// True if `a` came after `b`, which did come.
fn is_later(a: u64, b: u64) -> bool {
    b != 0 && a > b
}

fn whole(asked: Asked, line: &RequestHead<'_>, len: usize) -> Request {
    let head = len as u64;
    let body = Some(Body {
        head,
        end: line.body.map(|body| head + body),
        connects: line.connects,
    });
    Request::Whole { asked, body }
}

fn begin(
    (id, tuple, stamps): (ExchangeId, Tuple, Stamps),
    line: &RequestHead<'_>,
    classifier: &Classifier,
    facts: &mut Vec<Fact>,
) -> Asked {
    let subject = Subject {
        proto: Proto::Http,
        access: line.method.access(),
        target: line.target,
    };
    let asked = Asked {
        tuple,
        method: line.method,
        class: classifier.classify(subject),
        begun_ns: stamps.begun,
        line_ns: stamps.head,
    };
    facts.push(Fact::Begun { id, asked });
    asked
}
