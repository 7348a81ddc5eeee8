//! How much is under way at an endpoint: the same four families for requests and for transfers.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use super::{
    catalog::{Catalog, Declaration},
    family::Family,
    whole,
};
use crate::model::{in_flight::InFlight, track::Live};

type Seconds = Counter<f64, AtomicU64>;

/// A family's name, and what it says.
pub(super) type Words = (&'static str, &'static str);

/// The families, in the order of [`Concurrency`].
pub(super) struct ConcurrencyFamilies {
    in_flight: Family<Gauge, 1>,
    peak: Family<Gauge, 1>,
    seconds: Family<Seconds, 1>,
    waiting: Family<Gauge, 1>,
}

/// Those of one endpoint.
pub(super) struct Concurrency {
    /// Now.
    in_flight: Gauge,
    /// The most in the last minute.
    peak: Gauge,
    /// All time together.
    seconds: Seconds,
    /// Those of them that nobody serves yet.
    waiting: Gauge,
}

impl ConcurrencyFamilies {
    pub(super) fn declare(
        catalog: &mut Catalog,
        endpoints: usize,
        [in_flight, peak, seconds, waiting]: [Words; 4],
    ) -> Self {
        let by_endpoint = |(name, help)| Declaration {
            name,
            help,
            labels: ["endpoint"],
            sets: endpoints,
        };
        Self {
            in_flight: catalog.gauge(by_endpoint(in_flight)),
            peak: catalog.gauge(by_endpoint(peak)),
            seconds: catalog.seconds(by_endpoint(seconds)),
            waiting: catalog.gauge(by_endpoint(waiting)),
        }
    }

    pub(super) fn of(&self, endpoint: &str) -> Concurrency {
        let endpoint = || [endpoint.to_owned()];
        Concurrency {
            in_flight: self.in_flight.with(endpoint()),
            peak: self.peak.with(endpoint()),
            seconds: self.seconds.with(endpoint()),
            waiting: self.waiting.with(endpoint()),
        }
    }
}

impl Concurrency {
    /// Sets the gauges of the endpoint at `index` to what the live table says.
    pub(super) fn set_live(&self, live: &Live, index: usize) {
        for (gauge, counts) in [
            (&self.in_flight, &live.in_flight),
            (&self.waiting, &live.waiting),
        ] {
            gauge.set(whole(counts.get(index).copied().unwrap_or(0)));
        }
    }

    /// Sets what concurrency was when it was last advanced.
    pub(super) fn set_history(&self, in_flight: &InFlight, index: usize) {
        self.peak.set(whole(in_flight.peak(index)));
        let total = in_flight.total_ns(index) as f64 / 1e9;
        self.seconds.inc_by((total - self.seconds.get()).max(0.0));
    }
}
