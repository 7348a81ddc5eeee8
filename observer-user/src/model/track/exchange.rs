//! One request and its answer.

mod end;
mod heads;
mod moved;
mod row;

use observer_common::{
    conn::{Conn, Tuple},
    flow::is_after,
};

use super::{UnderWay, assembly::Assembly, phases::Stamps};
use crate::model::{
    classify::Endpoint,
    fact::{Asked, ExchangeId, Fact, Outcome},
    http::{Framing, Status},
    limiter::{Reading, Sampled},
    loss::Loss,
    stall::{Standstill, WaitsFor},
    target::Target,
};

/// An event this old that was not in the ring is lost: it is handed over within microseconds,
/// unless its CPU was taken away.
pub(super) const OVERDUE_NS: u64 = 1_000_000_000;

/// A turn under way, or answered and not wholly acknowledged.
#[derive(Debug)]
pub(super) struct Exchange {
    id: ExchangeId,
    /// What was asked for, once its first line is there.
    target: Target,
    /// Who took it up; 0 before that, or if that is not known.
    pid: u32,
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

impl Exchange {
    pub(super) fn new(id: ExchangeId, begun_ns: u64) -> Self {
        Self {
            id,
            target: Target::default(),
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
            pid: 0,
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

    /// Who has it and since when, if it is in flight.
    pub(super) fn under_way(&self) -> Option<UnderWay> {
        let asked = *self.asked().filter(|_| self.is_in_flight())?;
        let stamps = &self.stamps;
        let since_ns = match (stamps.answered, stamps.picked) {
            (Some(answered), _) => answered,
            (None, Some(picked)) => picked.max(stamps.received),
            (None, None) => stamps.head,
        };
        let pid = (self.pid != 0).then_some(self.pid);
        Some(UnderWay {
            asked,
            pid,
            step: self.step(),
            since_ns,
        })
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

    /// True if the client sent more than this request without waiting for the answer.
    pub(super) fn is_exceeded(&self, conn: &Conn) -> bool {
        // An empty line behind it is none (RFC 9112 2.2).
        const EMPTY_LINE: u64 = 2;
        let end = self.body().and_then(|body| body.end);
        conn.request.turn == self.id.turn
            && end.is_some_and(|end| conn.request.bytes > end + EMPTY_LINE)
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
            self.pid = pickup.pid;
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
