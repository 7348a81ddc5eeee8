//! As people look at it, while it lives.

use super::{Exchange, Request, Response, State};
use crate::model::{
    http::Framing,
    limiter::Sampled,
    track::rows::{Row, Step},
};

impl Exchange {
    /// As of now, but for what is known of its connection. `None` before its first line.
    pub(in crate::model::track) fn row(&self, now_ns: u64, stalled_after_ns: u64) -> Option<Row> {
        let end_ns = match self.state {
            State::Draining { sent_ns, .. } => sent_ns,
            State::UnderWay | State::Streaming => now_ns,
        };
        let (bytes, total) = self.progress();
        Some(Row {
            id: self.id,
            asked: *self.asked()?,
            target: self.target,
            status: self.status(),
            step: self.step(),
            phases: self.stamps.phases(end_ns),
            bytes,
            total,
            limiter: self.sampled.as_deref().and_then(Sampled::limiter),
            retransmits: None,
            stalled: self.stalled(stalled_after_ns),
            pid: (self.pid != 0).then_some(self.pid),
        })
    }

    pub(in crate::model::track) fn step(&self) -> Step {
        match self.state {
            State::Streaming => Step::Streaming,
            State::Draining { .. } => Step::Draining,
            State::UnderWay if self.is_answered() => Step::Transferring,
            State::UnderWay if matches!(self.request, Request::Line { .. }) => Step::Arriving,
            State::UnderWay if self.is_waiting() => Step::Waiting,
            State::UnderWay => Step::Handling,
        }
    }

    /// Payload so far, and of how much: of the answer once it has begun, else of the request.
    fn progress(&self) -> (u64, Option<u64>) {
        let Response::Body(answer) = &self.response else {
            let body = self
                .body()
                .and_then(|body| body.end.map(|end| end - body.head));
            return (self.moved.request, body);
        };
        let total = match answer.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::Close => None,
        };
        (self.moved.response, total)
    }
}
