//! When what is done over and over is due.

use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Between drains while much comes: whoever shares our processor does not wait for long.
pub(super) const DRAIN: Duration = Duration::from_millis(2);
/// The same while little comes: the smaller of the rings still holds what a busy TFTP server
/// begins in it.
const DRAIN_QUIET: Duration = Duration::from_millis(50);
/// Waking costs more than a few events do: so many are to wait for it.
const BATCH: u32 = 512;
/// How soon the ring is to be drained again.
pub(super) struct Pace {
    pub(super) taken: u32,
    since: Instant,
    pause: Duration,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            taken: 0,
            since: Instant::now(),
            pause: DRAIN,
        }
    }

    /// The next pause, after a drain.
    pub(super) fn next(&mut self) -> Duration {
        let now = Instant::now();
        self.pause = pause(self.taken, now - self.since);
        (self.taken, self.since) = (0, now);
        self.pause
    }

    /// Drains that did not come, before one that came so late.
    pub(super) fn skipped(&self, late: Duration) -> u64 {
        skipped(late, self.pause)
    }
}

/// A tick that is late is skipped, not made up for.
pub(super) fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// Ticks that did not come, before one that came so late.
pub(super) fn skipped(late: Duration, period: Duration) -> u64 {
    u64::try_from(late.as_nanos() / period.as_nanos()).unwrap_or(u64::MAX)
}

/// The time in which a batch comes, if as many come as `taken` in this time.
fn pause(taken: u32, elapsed: Duration) -> Duration {
    (elapsed * BATCH / taken.max(1)).clamp(DRAIN, DRAIN_QUIET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_drained_as_often_as_there_is_something_to_drain() {
        let ms = Duration::from_millis;
        for (taken, elapsed, next) in [
            (0, 10, 50),
            (100, 10, 50),
            (256, 10, 20),
            (1_024, 10, 5),
            (5_000, 10, 2),
            (1_024, 50, 25),
            (u32::MAX, 50, 2),
        ] {
            assert_eq!(pause(taken, ms(elapsed)), ms(next), "{taken}");
        }
    }

    #[test]
    fn a_tick_that_is_late_is_not_yet_skipped() {
        let ms = Duration::from_millis;
        for (late, count) in [(0, 0), (9, 0), (10, 1), (35, 3), (5_000, 500)] {
            assert_eq!(skipped(ms(late), ms(10)), count, "{late} ms");
        }
    }
}
