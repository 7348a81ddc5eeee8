//! A connection: one exchange after the other.

use observer_common::conn::Conn;

use super::exchange::Exchange;
use crate::model::{
    classify::{Classifier, Endpoint},
    event::Event,
    fact::{ExchangeId, Fact, Outcome},
    loss::Loss,
};

/// A live connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    exchange: Option<Exchange>,
    last_ns: u64,
    /// Its requests do not wait for their answers: not followed any further.
    pipelined: bool,
}

impl Connection {
    pub(super) fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// The endpoint of the exchange in flight.
    pub(super) fn in_flight(&self) -> Option<Endpoint> {
        self.exchange.as_ref().and_then(Exchange::endpoint)
    }

    pub(super) fn adopted(&mut self, cookie: u64, now_ns: u64) {
        self.last_ns = now_ns;
        if let Some(exchange) = &mut self.exchange {
            exchange.adopted(cookie);
        }
    }

    /// A new turn ends the one before.
    pub(super) fn on_request(
        &mut self,
        event: &Event<'_>,
        classifier: &Classifier,
        facts: &mut Vec<Fact>,
    ) {
        let conn = &event.header.conn;
        if let Some(former) = self.exchange.take() {
            if former.has_a_gap(conn) {
                facts.push(Fact::Lost(Loss::Swept));
            } else if former.is_short(conn) {
                // The client did not wait for the end: what follows cannot be told apart.
                self.pipelined = true;
                facts.push(Fact::Lost(Loss::PipelinedOpaque));
            } else {
                former.end(conn, event.header.at_ns, Outcome::Complete, facts);
            }
        }
        if self.pipelined {
            facts.push(Fact::Lost(Loss::PipelinedOpaque));
            return;
        }
        let id = ExchangeId {
            cookie: event.header.cookie,
            turn: conn.request.turn,
        };
        self.exchange = Some(Exchange::new(id));
        self.on_request_more(event, classifier, facts);
    }

    pub(super) fn on_request_more(
        &mut self,
        event: &Event<'_>,
        classifier: &Classifier,
        facts: &mut Vec<Fact>,
    ) {
        self.last_ns = event.header.at_ns;
        let conn = &event.header.conn;
        let Some(exchange) = self
            .exchange
            .as_mut()
            .filter(|known| known.turn() == conn.request.turn)
        else {
            return;
        };
        if !exchange.on_request_piece(event, classifier, facts) {
            facts.push(Fact::Lost(Loss::Undecodable));
            self.exchange = None;
            return;
        }
        self.refuse_pipelined(conn, facts);
    }

    /// Returns true if the exchange was answered and goes on.
    pub(super) fn on_response(&mut self, event: &Event<'_>, facts: &mut Vec<Fact>) -> bool {
        self.last_ns = event.header.at_ns;
        let conn = &event.header.conn;
        let Some(exchange) = self
            .exchange
            .as_mut()
            .filter(|known| known.turn() == conn.response.turn)
        else {
            return false;
        };
        exchange.on_response_piece(event, facts);
        !self.on_progress(conn, event.header.at_ns, facts)
    }

    /// True while an exchange is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.exchange.is_some()
    }

    /// Takes the connection as it stands at `now_ns`. Returns true if nothing is in flight any
    /// more.
    pub(super) fn on_progress(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) -> bool {
        if self.refuse_pipelined(conn, facts) {
            return true;
        }
        if let Some(over) = self.exchange.take_if(|exchange| exchange.is_over(conn)) {
            over.end(conn, now_ns, over.outcome_at_close(conn), facts);
        }
        self.exchange.is_none()
    }

    /// Takes the kernel's entry as it stands, when the events before `now_ns` were taken.
    pub(super) fn on_entry(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        self.on_progress(conn, now_ns, facts);
        let exchange = self.exchange.as_ref();
        if exchange.is_some_and(|exchange| exchange.is_overdue(conn, now_ns)) {
            self.give_up(Loss::Swept, facts);
        }
    }

    pub(super) fn on_closed(&mut self, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        if self.refuse_pipelined(conn, facts) {
            return;
        }
        if let Some(exchange) = self.exchange.take() {
            if exchange.has_a_gap(conn) {
                facts.push(Fact::Lost(Loss::Swept));
            } else {
                exchange.end(conn, now_ns, exchange.outcome_at_close(conn), facts);
            }
        }
    }

    /// Where the client did not wait for the answer before it asked again, the answers cannot
    /// be told apart, and neither is guessed. Returns true if it was so.
    fn refuse_pipelined(&mut self, conn: &Conn, facts: &mut Vec<Fact>) -> bool {
        let exchange = self.exchange.as_ref();
        let pipelined = exchange.is_some_and(|exchange| exchange.is_pipelined(conn));
        if pipelined {
            self.pipelined = true;
            self.give_up(Loss::PipelinedOpaque, facts);
        }
        pipelined
    }

    /// The exchange under way is not in the numbers.
    pub(super) fn give_up(&mut self, loss: Loss, facts: &mut Vec<Fact>) {
        if self.exchange.take().is_some() {
            facts.push(Fact::Lost(loss));
        }
    }
}
