//! What is read again and again, and may fail.

use std::time::{Duration, Instant};

use crate::errors::{Errors, Failure};

/// Between two words on one source: one that fails now and then is no line each time.
const QUIET: Duration = Duration::from_secs(60);

/// Something that is read again and again: each failure counts. That it fails is told, and that it no
/// longer does, with how often it did.
pub(super) struct Source {
    failure: Failure,
    /// What is said of it.
    sentence: &'static str,
    /// Since its end was last told.
    failures: u64,
    /// Whether it is said to fail.
    is_told: bool,
    /// When something was last said.
    told: Option<Instant>,
}

/// What is to be said.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Fails,
    /// It has failed so often.
    Over(u64),
}

impl Source {
    pub(super) fn new(failure: Failure, sentence: &'static str) -> Self {
        Self {
            failure,
            sentence,
            failures: 0,
            is_told: false,
            told: None,
        }
    }

    /// What was read, if it was.
    pub(super) fn check<T, E: Into<anyhow::Error>>(
        &mut self,
        read: Result<T, E>,
        errors: &Errors,
    ) -> Option<T> {
        let turn = self.turn(read.is_err(), Instant::now());
        let sentence = self.sentence;
        if let Some(Turn::Over(failures)) = turn {
            tracing::info!("no longer, after {failures} failures: {sentence}");
        }
        read.map_err(|error| {
            errors.count(self.failure);
            if turn == Some(Turn::Fails) {
                tracing::warn!("{sentence}, the rest goes on: {:#}", error.into());
            }
        })
        .ok()
    }

    fn turn(&mut self, fails: bool, now: Instant) -> Option<Turn> {
        self.failures += u64::from(fails);
        let is_early = self.told.is_some_and(|told| now < told + QUIET);
        if fails == self.is_told || is_early {
            return None;
        }
        (self.is_told, self.told) = (fails, Some(now));
        Some(if fails {
            Turn::Fails
        } else {
            Turn::Over(std::mem::take(&mut self.failures))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::new(Failure::UdpQueues, "queues")
    }

    #[test]
    fn each_failure_counts() {
        let (errors, mut source) = (Errors::default(), source());
        for (read, count) in [
            (Ok(1), 0),
            (Err(()), 1),
            (Err(()), 2),
            (Ok(2), 2),
            (Err(()), 3),
        ] {
            let found = source.check(read.map_err(|()| std::fmt::Error), &errors);
            assert_eq!(found, read.ok());
            let mut totals = errors.totals();
            assert!(totals.any(|total| total == (Failure::UdpQueues, count)));
        }
    }

    /// By second, whether it fails.
    #[test]
    fn a_turn_is_told_once_a_minute_at_most() {
        let start = Instant::now();
        let told = |fails: fn(u64) -> bool| {
            let mut source = source();
            let at = |second| start + Duration::from_secs(second);
            let turn = |second| Some((second, source.turn(fails(second), at(second))?));
            (0..180).filter_map(turn).collect::<Vec<_>>()
        };
        let begins_at = |second| (second, Turn::Fails);
        assert_eq!(told(|_| false), []);
        assert_eq!(told(|_| true), [begins_at(0)]);
        let once = [begins_at(10), (70, Turn::Over(1))];
        assert_eq!(told(|second| second == 10), once);
        let long = [begins_at(10), (100, Turn::Over(90))];
        assert_eq!(told(|second| (10..100).contains(&second)), long);
        let flaps = [begins_at(0), (61, Turn::Over(31)), begins_at(122)];
        assert_eq!(told(|second| second % 2 == 0), flaps);
    }
}
