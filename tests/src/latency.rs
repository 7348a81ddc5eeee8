//! How long answers took.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;

/// What takes longer is told as this.
const LONGEST: Duration = Duration::from_secs(60);
/// Significant ones.
const DIGITS: u8 = 3;

/// How long each of many answers took.
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// Of no answer.
    pub fn new() -> Result<Self> {
        Histogram::new_with_max(nanoseconds(LONGEST), DIGITS)
            .map(Self)
            .context("a histogram")
    }

    /// One more.
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(nanoseconds(took));
    }

    /// Those of another, too.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        self.0.add(&other.0).context("add histograms")
    }

    /// Of how many answers.
    pub fn answers(&self) -> u64 {
        self.0.len()
    }

    /// What this part of all answers took at most, in microseconds.
    pub fn quantile(&self, part: f64) -> f64 {
        self.0.value_at_quantile(part) as f64 / 1e3
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_answers() {
        let mut all = Latencies::new().expect("a histogram");
        for half in [1..=500_u64, 501..=1_000] {
            let mut latencies = Latencies::new().expect("a histogram");
            half.for_each(|took| latencies.record(Duration::from_micros(took)));
            all.add(&latencies).expect("one histogram");
        }
        assert_eq!(all.answers(), 1_000);
        for (part, microseconds) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let off = all.quantile(part) / microseconds - 1.0;
            assert!(off.abs() < 0.001, "{part}: {off}");
        }
    }

    #[test]
    fn what_takes_too_long_is_the_longest() {
        let mut latencies = Latencies::new().expect("a histogram");
        latencies.record(LONGEST * 2);
        let off = latencies.quantile(1.0) / 60e6 - 1.0;
        assert!(off.abs() < 0.001, "{off}");
    }
}
