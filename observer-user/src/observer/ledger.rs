//! The metrics, and the scrapes that wait for them.
//!
//! While they are encoded nobody else has them, so an exposition is of one instant; the ring is
//! drained meanwhile, and what is found waits to be recorded.

use std::{future::pending, io, sync::Arc};

use tokio::task::{JoinHandle, spawn_blocking};

use crate::{
    diag::Process,
    errors::{Errors, Failure},
    http::ScrapeRequest,
    metrics::{Exposition, Metrics},
};

pub(super) struct Ledger {
    state: State,
    errors: Arc<Errors>,
    /// They are answered by the next encoding, all by the same.
    asked: Vec<ScrapeRequest>,
}

enum State {
    Open(Box<Metrics>),
    Encoding(JoinHandle<Encoded>, Vec<ScrapeRequest>),
    /// The encoding panicked; there are no metrics any more.
    Lost,
}

struct Encoded {
    metrics: Box<Metrics>,
    exposition: Option<Exposition>,
}

impl Ledger {
    pub(super) fn new(metrics: Metrics, errors: Arc<Errors>) -> Self {
        Self {
            state: State::Open(Box::new(metrics)),
            errors,
            asked: Vec::new(),
        }
    }

    /// The metrics, unless they are being encoded.
    pub(super) fn metrics(&mut self) -> Option<&mut Metrics> {
        match &mut self.state {
            State::Open(metrics) => Some(metrics),
            State::Encoding(..) | State::Lost => None,
        }
    }

    /// Somebody scrapes. Those who gave up make place: there are no more than connections.
    pub(super) fn ask(&mut self, scrape: ScrapeRequest) {
        self.asked.retain(|asked| !asked.is_closed());
        self.asked.push(scrape);
    }

    /// True if somebody waits and can be served.
    pub(super) fn is_due(&self) -> bool {
        matches!(self.state, State::Open(_)) && !self.asked.is_empty()
    }

    /// Begins to encode, for all who wait.
    pub(super) fn encode(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Lost) {
            State::Open(metrics) => {
                let (errors, asked) = (Arc::clone(&self.errors), std::mem::take(&mut self.asked));
                State::Encoding(spawn_blocking(move || encode(metrics, &errors)), asked)
            }
            busy @ (State::Encoding(..) | State::Lost) => busy,
        };
    }

    /// True while the metrics are being encoded.
    pub(super) fn is_encoding(&self) -> bool {
        matches!(self.state, State::Encoding(..))
    }

    /// Ready when what is being encoded is, and those who waited are answered.
    pub(super) async fn encoded(&mut self) -> io::Result<()> {
        let State::Encoding(encoding, asked) = &mut self.state else {
            return pending().await;
        };
        let encoded = encoding.await;
        let asked = std::mem::take(asked);
        self.state = State::Lost;
        let Encoded {
            metrics,
            exposition,
        } = encoded.map_err(io::Error::other)?;
        self.state = State::Open(metrics);
        // Without one, each is refused.
        if let Some(exposition) = exposition.map(Arc::new) {
            for scrape in asked {
                // A scraper that gave up does not want the answer.
                let _ = scrape.send(Arc::clone(&exposition));
            }
        }
        Ok(())
    }
}

fn encode(mut metrics: Box<Metrics>, errors: &Errors) -> Encoded {
    match Process::read() {
        Ok(process) => metrics.process.set(&process),
        Err(_) => errors.count(Failure::Process),
    }
    let exposition = metrics
        .encode()
        .inspect_err(|_| errors.count(Failure::Encode))
        .ok();
    Encoded {
        metrics,
        exposition,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn ledger() -> Ledger {
        Ledger::new(Metrics::new(&["other".into()]), Arc::default())
    }

    #[tokio::test]
    async fn all_who_wait_get_the_same() {
        let mut ledger = ledger();
        assert!(!ledger.is_due());
        let mut answers = Vec::new();
        for _ in 0..3 {
            let (scrape, answer) = oneshot::channel();
            ledger.ask(scrape);
            answers.push(answer);
        }
        assert!(ledger.is_due());
        ledger.encode();
        ledger.encoded().await.expect("encoded");
        let mut expositions = Vec::new();
        for mut answer in answers {
            expositions.push(answer.try_recv().expect("an answer"));
        }
        let same = |other: &Arc<Exposition>| Arc::ptr_eq(&expositions[0], other);
        assert!(expositions.iter().all(same));
        assert!(ledger.metrics().is_some() && !ledger.is_due());
    }

    #[tokio::test]
    async fn nobody_records_into_what_is_being_encoded() {
        let mut ledger = ledger();
        let (first, answered) = oneshot::channel();
        ledger.ask(first);
        ledger.encode();
        assert!(ledger.metrics().is_none());
        // Who comes meanwhile gets the next one.
        let (second, mut waits) = oneshot::channel();
        ledger.ask(second);
        assert!(!ledger.is_due());
        ledger.encoded().await.expect("encoded");
        answered.await.expect("the first is answered");
        assert!(waits.try_recv().is_err() && ledger.is_due());
    }

    #[tokio::test]
    async fn who_gave_up_waits_no_longer() {
        let mut ledger = ledger();
        for _ in 0..1_000 {
            let (scrape, _) = oneshot::channel();
            ledger.ask(scrape);
        }
        assert_eq!(ledger.asked.len(), 1);
    }
}
