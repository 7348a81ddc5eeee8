//! When to search for namespaces.

use std::time::{Duration, Instant};

/// Between searches, at first and where one was closed: a server that is restarted may come back
/// in a namespace of its own.
const SOON: Duration = Duration::from_secs(1);
/// Between searches, in the end: each reads of every process.
const LATE: Duration = Duration::from_secs(30);

/// When to search.
#[derive(Debug)]
pub(super) struct Pace {
    next: Instant,
    period: Duration,
    served: usize,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next: now,
            period: SOON,
            served: 0,
        }
    }

    /// True if it is time, or if another port has served a request: it will be done now.
    pub(super) fn is_due(&mut self, served: usize, now: Instant) -> bool {
        let another = std::mem::replace(&mut self.served, served) != served;
        if now < self.next && !another {
            return false;
        }
        self.next = now + self.period;
        self.period = (self.period * 2).min(LATE);
        true
    }

    /// Something may have moved: searches are close to each other again.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.period = SOON;
        self.next = now + SOON;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_become_rarer_until_something_happens() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let searched = |pace: &mut Pace, from: u64, to: u64| -> Vec<u64> {
            (from..to)
                .filter(|second| pace.is_due(0, start + Duration::from_secs(*second)))
                .collect()
        };
        assert_eq!(searched(&mut pace, 0, 100), [0, 1, 3, 7, 15, 31, 61, 91]);
        pace.hurry(start + Duration::from_secs(100));
        assert_eq!(searched(&mut pace, 100, 120), [101, 102, 104, 108, 116]);
        let now = start + Duration::from_secs(120);
        assert!(pace.is_due(1, now), "another port");
        assert!(!pace.is_due(1, now));
    }
}
