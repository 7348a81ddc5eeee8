//! A connection: one exchange after the other, or, where requests do not wait for the answers,
//! several at once.

use std::collections::VecDeque;

use observer_common::{
    conn::{Conn, PROTOCOL_OTHER, Tuple},
    limits::HEAD_MAX,
    pipe::OUTSTANDING,
};

use super::exchange::Exchange;
use crate::model::{
    classify::Classifier,
    event::Event,
    fact::{ExchangeId, Fact, Outcome},
    limiter::Reading,
    loss::Loss,
    unread::Unread,
};

/// Exchanges kept at most: those under way, and as many whose last acknowledgement is awaited.
const EXCHANGES: usize = 2 * OUTSTANDING as usize;

/// A live connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Oldest first.
    exchanges: VecDeque<Exchange>,
    last_ns: u64,
    port: u16,
    /// Segments that the server sent again, as it was said last.
    retransmits: Option<u32>,
    /// An answer said that the connection ends behind it.
    closes: bool,
    /// Its requests do not wait for their answers and cannot be told apart: not followed any
    /// further.
    opaque: bool,
    /// Pieces of the next request's head that overtook its first bytes, with their offsets.
    ahead: Vec<(u32, Vec<u8>)>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            // Most have one at a time, and a queue that grows begins with four.
            exchanges: VecDeque::with_capacity(1),
            last_ns: 0,
            port: 0,
            retransmits: None,
            closes: false,
            opaque: false,
            ahead: Vec::new(),
        }
    }
}

impl Connection {
    pub(super) fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// The server's port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter()
    }

    pub(super) fn adopted(&mut self, cookie: u64, now_ns: u64) {
        self.last_ns = now_ns;
        for exchange in &mut self.exchanges {
            exchange.adopted(cookie);
        }
    }

    /// True while a response is being sent or waited for.
    pub(super) fn is_in_flight(&self) -> bool {
        self.exchanges.iter().any(Exchange::is_in_flight)
    }

    /// Between whom an answer is being sent.
    pub(super) fn is_sending_between(&self) -> Option<Tuple> {
        self.exchanges.iter().find_map(Exchange::is_sent_between)
    }

    /// Segments that the server sent again, since it began.
    pub(super) fn retransmits(&self) -> Option<u32> {
        self.retransmits
    }

    /// So many segments were sent again.
    pub(super) fn on_retransmits(&mut self, total: u32) {
        self.retransmits = Some(total);
    }

    /// Takes its clocks: they are of the answer that is being sent.
    pub(super) fn on_clocks(&mut self, reading: Reading, facts: &mut Vec<Fact>) {
        let sent = |exchange: &&mut Exchange| exchange.is_sent_between().is_some();
        if let Some(exchange) = self.exchanges.iter_mut().find(sent) {
            exchange.on_clocks(reading, facts);
        }
    }

    /// True while something of it may still change.
    pub(super) fn is_busy(&self) -> bool {
        !self.exchanges.is_empty()
    }

    /// A new turn ends the one before, if it had to wait for it.
    pub(super) fn on_request(
        &mut self,
        event: &Event<'_>,
        classifier: &Classifier,
        facts: &mut Vec<Fact>,
    ) {
        let conn = &event.header.conn;
        self.on_progress(conn, event.header.at_ns, facts);
        if !conn.is_pipelined() {
            self.end_former(conn, event.header.at_ns, facts);
        }
        if self.opaque {
            facts.push(Fact::Lost(Loss::PipelinedOpaque));
            return;
        }
        if self.exchanges.len() >= EXCHANGES
            && let Some(oldest) = self.exchanges.pop_front()
        {
            oldest.drop_out(Loss::Swept, facts);
        }
        let id = ExchangeId {
            cookie: event.header.cookie,
            turn: conn.request.turn,
        };
        self.exchanges
            .push_back(Exchange::new(id, conn.request.first_ns));
        self.on_request_more(event, classifier, facts);
        for (offset, data) in std::mem::take(&mut self.ahead) {
            let data = data.as_slice();
            let mut event = Event { data, ..*event };
            event.header.offset = offset;
            self.on_request_more(&event, classifier, facts);
        }
    }

    /// The client asks again: what it had asked before is over.
    fn end_former(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        for former in &mut self.exchanges {
            if former.is_draining() {
                continue;
            }
            if former.has_a_gap(conn) {
                former.drop_out(Loss::Swept, facts);
            } else if former.is_short(conn) {
                // The client did not wait for the end: what follows cannot be told apart.
                self.opaque = true;
                former.drop_out(Loss::PipelinedOpaque, facts);
            } else {
                former.end(conn, now_ns, Outcome::Complete, facts);
                former.on_progress(conn, now_ns, facts);
            }
        }
        self.exchanges
            .retain(|former| former.is_draining() && !former.is_delivered(conn, facts));
    }

    pub(super) fn on_request_more(
        &mut self,
        event: &Event<'_>,
        classifier: &Classifier,
        facts: &mut Vec<Fact>,
    ) {
        self.last_ns = event.header.at_ns;
        let conn = &event.header.conn;
        self.port = conn.tuple.server_port;
        let Some(at) = self.find(conn.request.turn) else {
            return;
        };
        let good = self
            .exchanges
            .get_mut(at)
            .is_some_and(|exchange| exchange.on_request_piece(event, classifier, facts));
        if !good && let Some(exchange) = self.exchanges.remove(at) {
            exchange.drop_out(Loss::Undecodable, facts);
            facts.push(Fact::Unread(Unread::RequestHead));
            return;
        }
        self.refuse_opaque(conn, facts);
    }

    /// Bytes of the next turn's request came before its first ones.
    pub(super) fn on_request_ahead(&mut self, event: &Event<'_>) {
        self.port = event.header.conn.tuple.server_port;
        let kept: usize = self.ahead.iter().map(|(_, data)| data.len()).sum();
        if kept + event.data.len() <= HEAD_MAX as usize {
            self.ahead.push((event.header.offset, event.data.to_vec()));
        }
    }

    /// Takes a piece of a response's head, or what else the kernel side tells of one.
    pub(super) fn on_response(&mut self, event: &Event<'_>, facts: &mut Vec<Fact>) {
        self.last_ns = event.header.at_ns;
        let conn = &event.header.conn;
        let turn = conn.response.turn;
        if self.find(turn).is_some() {
            // Answers come in order: those before have had theirs, and it was not told.
            self.exchanges.retain(|exchange| {
                let keep = exchange.is_draining() || !is_before(exchange, turn);
                if !keep {
                    exchange.drop_out(Loss::Swept, facts);
                }
                keep
            });
        }
        if let Some(exchange) = self.find(turn).and_then(|at| self.exchanges.get_mut(at)) {
            exchange.on_response_piece(event, facts);
        }
        self.on_progress(conn, event.header.at_ns, facts);
    }

    /// Takes the connection as it stands at `now_ns`.
    pub(super) fn on_progress(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        if conn.protocol >= PROTOCOL_OTHER {
            // It began like a request and was none.
            self.exchanges.clear();
        }
        for exchange in &mut self.exchanges {
            exchange.on_progress(conn, now_ns, facts);
        }
        let closes = |exchange: &Exchange| exchange.is_draining() && exchange.closes();
        self.closes |= self.exchanges.iter().any(closes);
        self.exchanges
            .retain(|exchange| !exchange.is_delivered(conn, facts));
        self.refuse_opaque(conn, facts);
        if self.exchanges.back().is_some_and(|last| last.is_cut(conn)) {
            self.close(conn, now_ns, facts);
        }
    }

    /// Takes the kernel's entry as it stands, when the events before `now_ns` were taken.
    pub(super) fn on_entry(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        self.on_progress(conn, now_ns, facts);
        self.exchanges.retain(|exchange| {
            let overdue = exchange.is_overdue(conn, now_ns);
            if overdue {
                exchange.drop_out(Loss::Swept, facts);
            }
            !overdue
        });
    }

    pub(super) fn on_closed(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        self.on_progress(conn, now_ns, facts);
        self.exchanges.retain(|exchange| {
            let lost = !exchange.is_draining() && exchange.has_a_gap(conn);
            if lost {
                exchange.drop_out(Loss::Swept, facts);
            }
            !lost
        });
        self.close(conn, now_ns, facts);
    }

    /// Nothing more will come.
    fn close(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        for mut exchange in self.exchanges.drain(..) {
            if self.closes && !exchange.is_answered() {
                exchange.discard(facts);
            } else {
                // Behind one that was cut short none is served.
                self.closes |= exchange.close(conn, now_ns, facts);
            }
            self.closes |= exchange.closes();
        }
    }

    /// Where requests did not wait for the answers and these cannot be told apart, none is
    /// guessed.
    fn refuse_opaque(&mut self, conn: &Conn, facts: &mut Vec<Fact>) {
        let exceeded = |exchange: &Exchange| exchange.is_exceeded(conn);
        if conn.is_opaque() || self.exchanges.iter().any(exceeded) {
            self.opaque = true;
            self.give_up(Loss::PipelinedOpaque, facts);
        }
    }

    /// Another connection has taken the place of its early data.
    pub(super) fn displaced(&self, facts: &mut Vec<Fact>) {
        let asked = self.exchanges.iter().filter_map(Exchange::asked);
        facts.extend(asked.map(|asked| Fact::Displaced { asked: *asked }));
    }

    /// The exchanges under way are not in the numbers.
    pub(super) fn give_up(&mut self, loss: Loss, facts: &mut Vec<Fact>) {
        for exchange in self.exchanges.drain(..) {
            exchange.drop_out(loss, facts);
        }
    }

    fn find(&self, turn: u32) -> Option<usize> {
        self.exchanges
            .iter()
            .position(|exchange| exchange.turn() == turn)
    }
}

/// True if it was asked before `turn`.
fn is_before(exchange: &Exchange, turn: u32) -> bool {
    exchange.turn().wrapping_sub(turn).cast_signed() < 0
}
