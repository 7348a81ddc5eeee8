//! What stands still at an endpoint, by whom it waits for: of requests and of transfers.

use prometheus_client::metrics::gauge::Gauge;

use super::{
    catalog::{Catalog, Declaration},
    family::Family,
    whole,
};
use crate::model::{stall::WaitsFor, track::Live};

/// The family.
pub(super) struct StalledFamily {
    gauges: Family<Gauge, 2>,
    causes: &'static [WaitsFor],
}

/// The gauges of one endpoint.
pub(super) struct Stalled(Vec<(WaitsFor, Gauge)>);

impl StalledFamily {
    /// Declares it, with these to wait for.
    pub(super) fn declare(
        catalog: &mut Catalog,
        endpoints: usize,
        causes: &'static [WaitsFor],
        help: &'static str,
    ) -> Self {
        let gauges = catalog.gauge(Declaration {
            name: "transfers_stalled",
            help,
            labels: ["endpoint", "waits_for"],
            sets: endpoints * causes.len(),
        });
        Self { gauges, causes }
    }

    pub(super) fn of(&self, endpoint: &str) -> Stalled {
        let gauge = |waits_for: &WaitsFor| {
            let labels = [endpoint.to_owned(), waits_for.name().to_owned()];
            (*waits_for, self.gauges.with(labels))
        };
        Stalled(self.causes.iter().map(gauge).collect())
    }
}

impl Stalled {
    /// Sets those of the endpoint at `index` to what the live table says.
    pub(super) fn set_live(&self, live: &Live, index: usize) {
        for (waits_for, gauge) in &self.0 {
            let counts = live.stalled.get(*waits_for as usize);
            let count = counts.and_then(|counts| counts.get(index)).copied();
            gauge.set(whole(count.unwrap_or(0)));
        }
    }
}
