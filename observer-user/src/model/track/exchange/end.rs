//! How it ends: whole, cut short, or not as events tell.

use observer_common::{
    conn::Conn,
    flow::{FLAG_FIN, FLAG_FOLLOWED, FLAG_FRAMED, FLAG_RST, is_after},
};

use super::{Exchange, OVERDUE_NS, Request, Response, State};
use crate::model::{
    fact::{Fact, Outcome, Side},
    http::Framing,
    loss::Loss,
};

/// `CRLF 0 CRLF CRLF`: what a chunked body ends with (RFC 9112 7.1), if it has no trailer.
const LAST_CHUNK: u64 = u64::from_be_bytes(*b"\0\r\n0\r\n\r\n");
const LAST_CHUNK_MASK: u64 = u64::MAX >> 8;
const BLANK_LINE: u64 = u64::from_be_bytes(*b"\0\0\0\0\r\n\r\n");
const BLANK_LINE_MASK: u64 = u64::MAX >> 32;

impl Exchange {
    /// True if all of a response that was sent is acknowledged, which is told.
    pub(in crate::model::track) fn is_delivered(&self, conn: &Conn, facts: &mut Vec<Fact>) -> bool {
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
    pub(super) fn is_complete(&self, conn: &Conn) -> bool {
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
    pub(in crate::model::track) fn is_cut(&self, conn: &Conn) -> bool {
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
    pub(in crate::model::track) fn has_a_gap(&self, conn: &Conn) -> bool {
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
    pub(in crate::model::track) fn is_overdue(&self, conn: &Conn, now_ns: u64) -> bool {
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
    pub(in crate::model::track) fn is_short(&self, conn: &Conn) -> bool {
        let ends = match &self.response {
            Response::Body(answer) => matches!(answer.framing, Framing::Length(_)),
            Response::Head { .. } => true,
            Response::Opaque { .. } => false,
        };
        ends && !self.is_complete(conn)
    }

    /// Ends it; nothing is told of a request whose first line never came.
    pub(in crate::model::track) fn end(
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
            facts.push(Fact::Named {
                id: self.id,
                target: self.target,
            });
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
    pub(in crate::model::track) fn close(
        &mut self,
        conn: &Conn,
        now_ns: u64,
        facts: &mut Vec<Fact>,
    ) -> bool {
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
