//! The only room that knows prometheus-client. Facts go in, text comes out.
//!
//! Invariant: labels are closed sets (endpoints of the profile, methods, statuses, reasons),
//! so the number of series does not follow the traffic.

mod http;
mod observer;

use std::sync::Arc;

use prometheus_client::{encoding::text, registry::Registry};

pub use self::{http::HttpMetrics, observer::ObserverMetrics};
use crate::model::fact::Fact;

/// What [`encode`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every family, by subsystem.
pub struct Metrics {
    /// HTTP requests.
    pub http: HttpMetrics,
    /// The observer itself.
    pub observer: ObserverMetrics,
}

impl Metrics {
    /// Registers every family; all series that are known beforehand exist from now on.
    pub fn register(registry: &mut Registry, endpoints: &[Arc<str>]) -> Self {
        Self {
            http: HttpMetrics::register(registry, endpoints),
            observer: ObserverMetrics::register(registry.sub_registry_with_prefix("pxe_observer")),
        }
    }

    /// Counts a fact.
    pub fn record(&mut self, fact: &Fact) {
        if let Fact::Lost(loss) | Fact::Dropped { loss, .. } = fact {
            self.observer.lost(*loss, 1);
        }
        self.http.record(fact);
    }
}

/// The exposition, in OpenMetrics text format.
pub fn encode(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    text::encode(&mut text, registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
