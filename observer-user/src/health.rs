//! Whether the observer does its work: a latch that the drain sets and that goes stale.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::clock::monotonic_ns;

/// Events are drained every 50 ms at least; this long without is a fault, not a late tick.
const STALE: Duration = Duration::from_secs(5);

/// When events were last drained; never, at first.
#[derive(Debug, Default)]
pub struct Health {
    last_drain_ns: AtomicU64,
}

impl Health {
    /// Events were drained just now.
    pub fn drained(&self) {
        self.last_drain_ns.store(monotonic_ns(), Ordering::Relaxed);
    }

    /// True while events are being drained.
    pub fn is_draining(&self) -> bool {
        is_fresh(self.last_drain_ns.load(Ordering::Relaxed), monotonic_ns())
    }
}

fn is_fresh(last_ns: u64, now_ns: u64) -> bool {
    last_ns != 0 && u128::from(now_ns.saturating_sub(last_ns)) < STALE.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_stale() {
        let second = 1_000_000_000;
        assert!(!is_fresh(0, second));
        assert!(is_fresh(10 * second, 14 * second));
        assert!(!is_fresh(10 * second, 15 * second));
    }
}
