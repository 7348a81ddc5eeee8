//! What ended so far, by endpoint, and how long it took lately.

use super::{
    classify::{Class, MAX_ENDPOINTS},
    fact::{Fact, Outcome, Phases},
    loss::Loss,
    minute::{Minute, Quantiles},
    tftp,
};

/// Statuses from here on say that the server failed (RFC 9110 15.6).
const SERVER_ERROR: u16 = 500;

/// By endpoint; of requests or of transfers.
#[derive(Debug, Default)]
pub struct Totals {
    endpoints: [Endpoint; MAX_ENDPOINTS],
    lost: [u64; Loss::ALL.len()],
}

/// Of one endpoint, since the observer began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Total {
    /// What ended.
    pub ended: u64,
    /// What was cut short or failed.
    pub errors: u64,
    /// Payload, each byte once.
    pub bytes: u64,
    /// How long those of the last minute took.
    pub duration: Option<Quantiles>,
    /// How long those of the last minute waited for their first byte.
    pub wait: Option<Quantiles>,
}

#[derive(Debug, Default)]
struct Endpoint {
    ended: u64,
    errors: u64,
    bytes: u64,
    duration: Minute,
    wait: Minute,
}

impl Totals {
    /// Takes a fact.
    pub fn on_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Moved {
                asked,
                request_bytes,
                response_bytes,
                ..
            } => self.moved(asked.class, request_bytes + response_bytes),
            Fact::Ended {
                asked,
                status,
                phases,
                outcome,
                ..
            } => {
                let is_5xx = status.is_some_and(|status| status.code() >= SERVER_ERROR);
                let failed = is_5xx || *outcome != Outcome::Complete;
                let at_ns = asked.begun_ns + phases.duration();
                self.ended(asked.class, failed, phases.duration(), at_ns);
                if phases.transfer.is_some() {
                    self.waited(asked.class, waited_ns(phases), at_ns);
                }
            }
            Fact::Undelivered { asked, .. } => self.failed(asked.class),
            Fact::Lost(loss) | Fact::Dropped { loss, .. } => self.lost(*loss),
            Fact::Begun { .. }
            | Fact::Answered { .. }
            | Fact::Named { .. }
            | Fact::Limited { .. }
            | Fact::Streaming { .. }
            | Fact::Delivered { .. }
            | Fact::Discarded { .. }
            | Fact::Displaced { .. }
            | Fact::Unread(_) => {}
        }
    }

    /// Takes a fact about a transfer.
    pub fn on_transfer(&mut self, fact: &tftp::Fact) {
        match fact {
            tftp::Fact::Answered { asked, wait_ns } => {
                self.waited(asked.class, *wait_ns, asked.begun_ns + wait_ns);
            }
            tftp::Fact::Moved {
                asked,
                sent,
                received,
                ..
            } => self.moved(asked.class, sent + received),
            tftp::Fact::Ended {
                asked,
                outcome,
                duration_ns,
                at_ns,
            } => self.ended(asked.class, outcome.is_failure(), *duration_ns, *at_ns),
            tftp::Fact::Dropped { loss, .. } => self.lost(*loss),
            tftp::Fact::Begun { .. }
            | tftp::Fact::Named { .. }
            | tftp::Fact::Agreed { .. }
            | tftp::Fact::Failed { .. }
            | tftp::Fact::AnsweredLate => {}
        }
    }

    /// Of an endpoint, as of now.
    pub fn total(&self, endpoint: usize, now_ns: u64) -> Total {
        let Some(endpoint) = self.endpoints.get(endpoint) else {
            return Total::default();
        };
        Total {
            ended: endpoint.ended,
            errors: endpoint.errors,
            bytes: endpoint.bytes,
            duration: endpoint.duration.quantiles(now_ns),
            wait: endpoint.wait.quantiles(now_ns),
        }
    }

    /// What is in no number, by why, as far as facts told it.
    pub fn losses(&self) -> impl Iterator<Item = (Loss, u64)> {
        Loss::ALL.into_iter().zip(self.lost)
    }

    fn ended(&mut self, class: Class, failed: bool, duration_ns: u64, at_ns: u64) {
        if let Some(endpoint) = self.endpoints.get_mut(class.endpoint.index()) {
            endpoint.ended += 1;
            endpoint.errors += u64::from(failed);
            endpoint.duration.record(duration_ns, at_ns);
        }
    }

    fn waited(&mut self, class: Class, wait_ns: u64, at_ns: u64) {
        if let Some(endpoint) = self.endpoints.get_mut(class.endpoint.index()) {
            endpoint.wait.record(wait_ns, at_ns);
        }
    }

    /// What ended well for the server did not arrive.
    fn failed(&mut self, class: Class) {
        if let Some(endpoint) = self.endpoints.get_mut(class.endpoint.index()) {
            endpoint.errors += 1;
        }
    }

    fn moved(&mut self, class: Class, bytes: u64) {
        if let Some(endpoint) = self.endpoints.get_mut(class.endpoint.index()) {
            endpoint.bytes += bytes;
        }
    }

    fn lost(&mut self, loss: Loss) {
        if let Some(count) = self.lost.get_mut(loss as usize) {
            *count += 1;
        }
    }
}

/// From the whole request to the first byte of its answer.
fn waited_ns(phases: &Phases) -> u64 {
    phases.queue.unwrap_or(0) + phases.handle
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        classify::test_class,
        fact::{Asked, ExchangeId, Side},
        http::{Method, Status},
    };

    const MS: u64 = 1_000_000;
    const SECOND: u64 = 1_000 * MS;

    fn ended(status: u16, outcome: Outcome) -> Fact {
        Fact::Ended {
            id: ExchangeId { cookie: 1, turn: 1 },
            asked: Asked {
                tuple: Default::default(),
                method: Method::Get,
                class: test_class(),
                begun_ns: 100 * SECOND,
                line_ns: 100 * SECOND,
            },
            status: Status::new(status),
            phases: Phases {
                queue: Some(10 * MS),
                receive: 20 * MS,
                handle: 30 * MS,
                transfer: Some(40 * MS),
            },
            response_bytes: 0,
            outcome,
            sampled_ns: 0,
        }
    }

    #[test]
    fn what_ended_and_what_failed_is_counted() {
        for (fact, errors) in [
            (ended(200, Outcome::Complete), 0),
            (ended(404, Outcome::Complete), 0),
            (ended(503, Outcome::Complete), 1),
            (ended(200, Outcome::Aborted(Side::Client)), 1),
        ] {
            let mut totals = Totals::default();
            totals.on_fact(&fact);
            let total = totals.total(test_class().endpoint.index(), 101 * SECOND);
            assert_eq!((total.ended, total.errors), (1, errors), "{fact:?}");
            let near = |found: Option<Quantiles>, exact: f64| {
                let found = found.expect("one").p50;
                assert!((found - exact).abs() < 0.01 * exact, "{found} {exact}");
            };
            near(total.duration, 0.1);
            near(total.wait, 0.04);
        }
    }

    #[test]
    fn losses_are_counted_by_reason() {
        let mut totals = Totals::default();
        totals.on_fact(&Fact::Lost(Loss::Swept));
        totals.on_fact(&Fact::Lost(Loss::Swept));
        for (loss, count) in totals.losses() {
            assert_eq!(count, if loss == Loss::Swept { 2 } else { 0 }, "{loss:?}");
        }
    }
}
