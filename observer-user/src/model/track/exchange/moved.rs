//! Its payload, as it arrives where it was to go.

use observer_common::{conn::Conn, flow::is_after};

use super::{Exchange, Moved, Response, State};
use crate::model::{fact::Fact, http::Framing};

impl Exchange {
    /// Tells payload that has arrived where it was to go, since it was last told.
    pub(super) fn tell_moved(&mut self, conn: &Conn, facts: &mut Vec<Fact>) {
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
}
