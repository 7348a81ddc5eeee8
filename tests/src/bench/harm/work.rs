//! What is done again and again, and what it tells.

use anyhow::Result;

use crate::load::Served;

/// Something that is done again and again.
pub(super) struct Work<'a> {
    /// Of its report.
    pub(super) title: &'static str,
    /// Does it; tells the same things each time.
    pub(super) run: Box<dyn Fn() -> Result<Vec<Told>> + 'a>,
}

/// One thing that was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) value: f64,
}

/// What is to stay with us.
pub(super) const RATE: &str = "rate";

impl Told {
    /// How much was done a second.
    pub(super) fn rate(value: f64, unit: &'static str) -> Self {
        Self {
            name: RATE,
            unit,
            value,
        }
    }

    /// How many a second, and how long they took.
    pub(super) fn served(served: &Served) -> [Self; 4] {
        let latency = |name, part| Self {
            name,
            unit: "us",
            value: served.latencies.quantile(part),
        };
        [
            Self::rate(served.rate, "1/s"),
            latency("latency, p50", 0.5),
            latency("latency, p99", 0.99),
            latency("latency, p99.9", 0.999),
        ]
    }
}
