//! What starves, and for how long.

use std::sync::{Arc, atomic::AtomicU64};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use super::{
    catalog::{Catalog, Declaration},
    family::{Family, Value},
};
use crate::model::verdict::{Cause, Verdict};

/// What the verdict says of no endpoint.
const ALL: &str = "all";

/// The families of the verdict.
pub struct StarvationMetrics {
    starves: Family<Gauge, 1>,
    seconds: Family<Counter<f64, AtomicU64>, 2>,
    endpoints: Vec<Arc<str>>,
}

impl StarvationMetrics {
    /// Declares the families; every series exists from now on.
    pub(super) fn declare(catalog: &mut Catalog, endpoints: &[Arc<str>]) -> Self {
        let catalog = catalog.with_prefix("pxe_");
        let starves = catalog.gauge(Declaration {
            name: "starvation",
            help: "1 while boots wait for this: it has shown for some seconds, and not been gone \
                   for as long; pxe-observer explain says who waits, and by what numbers",
            labels: ["cause"],
            sets: Cause::ALL.len(),
        });
        let seconds = catalog.seconds(Declaration {
            name: "starvation_seconds",
            help: "How long that was, by the endpoint that saturates, or all",
            labels: ["cause", "endpoint"],
            sets: Cause::ALL.len() * (endpoints.len() + 1),
        });
        let mut metrics = Self {
            starves,
            seconds,
            endpoints: Vec::new(),
        };
        for cause in Cause::ALL {
            metrics.starves.with([cause.name()]);
            metrics.seconds.with([cause.name(), ALL]);
        }
        metrics.extend(endpoints);
        metrics
    }

    /// These are the endpoints from now on, of which the first are known.
    pub(super) fn extend(&mut self, endpoints: &[Arc<str>]) {
        for name in endpoints.iter().skip(self.endpoints.len()) {
            for cause in Cause::ALL {
                self.seconds.with(labels(cause, name));
            }
            self.endpoints.push(Arc::clone(name));
        }
    }

    /// Takes what is said.
    pub fn set(&self, verdict: &Verdict) {
        for cause in Cause::ALL {
            let is_said = verdict
                .findings()
                .any(|(finding, _)| finding.cause == cause);
            self.starves.with([cause.name()]).set(i64::from(is_said));
        }
        for ((cause, endpoint), seconds) in verdict.seconds() {
            let name = endpoint.and_then(|endpoint| self.endpoints.get(endpoint.index()));
            let labels = labels(cause, name.map_or(ALL, AsRef::as_ref));
            let counter = self.seconds.with(labels);
            counter.inc_by((seconds - counter.get()).max(0.0));
        }
    }
}

fn labels(cause: Cause, endpoint: &str) -> [Value; 2] {
    [cause.name().into(), endpoint.to_owned().into()]
}
