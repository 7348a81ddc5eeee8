//! The only room that knows prometheus-client. Facts go in, text comes out.
//!
//! Invariants: labels are closed sets (endpoints of the profile, methods, statuses, reasons), so
//! the number of series does not follow the traffic. One owner at a time records or encodes, so
//! an exposition is of one instant.

mod catalog;
mod concurrency;
mod exposition;
mod family;
mod http;
mod links;
mod observer;
mod ports;
mod process;
mod reference;
mod sockets;
mod stalled;
mod starvation;
mod tally;
mod text;
mod tftp;

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use self::catalog::{Catalog, Declaration, Declared};
pub use self::{
    catalog::Descriptor,
    exposition::{Exposition, Format},
    http::HttpMetrics,
    links::LinkMetrics,
    observer::ObserverMetrics,
    ports::PortMetrics,
    process::ProcessMetrics,
    reference::reference,
    sockets::SocketMetrics,
    starvation::StarvationMetrics,
    tally::{Tally, Task},
    tftp::TftpMetrics,
};
use crate::model::{fact::Fact, tftp::Fact as TransferFact};

/// Every family, by subsystem.
pub struct Metrics {
    /// HTTP requests.
    pub http: HttpMetrics,
    /// TFTP transfers.
    pub tftp: TftpMetrics,
    /// Sockets.
    pub sockets: SocketMetrics,
    /// TCP ports.
    pub ports: PortMetrics,
    /// Links.
    pub links: LinkMetrics,
    /// The observer itself.
    pub observer: ObserverMetrics,
    /// What starves.
    pub starvation: StarvationMetrics,
    /// Its process.
    pub process: ProcessMetrics,
    registry: Registry,
    declared: Vec<Declared>,
    series: Gauge,
    limit: Gauge,
    /// What the last exposition took.
    capacity: usize,
}

impl Metrics {
    /// Declares every family; all series that are known beforehand exist from now on.
    pub fn new(endpoints: &[Arc<str>]) -> Self {
        let mut catalog = Catalog::default();
        let overflow = catalog.with_prefix("pxe_observer_").counter(Declaration {
            name: "label_overflow",
            help: "What had no place among the labels of a family: requests, then counted under \
                   method other, status none of their endpoint; interfaces, then in no series",
            labels: ["family"],
            sets: 2,
        });
        let [requests, links] =
            ["http_requests_total", "pxe_link_bytes_total"].map(|family| overflow.with([family]));
        let http = HttpMetrics::declare(&mut catalog, endpoints, requests);
        let tftp = TftpMetrics::declare(&mut catalog, endpoints);
        let sockets = SocketMetrics::declare(&mut catalog);
        let ports = PortMetrics::declare(&mut catalog);
        let links = LinkMetrics::declare(&mut catalog, links);
        let starvation = StarvationMetrics::declare(&mut catalog, endpoints);
        let observer = ObserverMetrics::declare(&mut catalog);
        let process = ProcessMetrics::declare(&mut catalog);
        let mut alone = |name, help| {
            let family = catalog.with_prefix("pxe_observer_").gauge(Declaration {
                name,
                help,
                labels: [],
                sets: 1,
            });
            family.only()
        };
        let series = alone("series", "Series in this exposition");
        let limit = alone(
            "series_limit",
            "Series that there can be, whatever the traffic",
        );
        let (registry, declared) = catalog.finish();
        let metrics = Self {
            http,
            tftp,
            sockets,
            ports,
            links,
            starvation,
            observer,
            process,
            registry,
            declared,
            series,
            limit,
            capacity: 0,
        };
        metrics.limit.set(count(metrics.series_limit()));
        metrics
    }

    /// These are the endpoints from now on, of which the first are known: nothing that was counted
    /// is forgotten.
    pub fn extend(&mut self, endpoints: &[Arc<str>]) {
        self.http.extend(endpoints);
        self.tftp.extend(endpoints);
        self.starvation.extend(endpoints);
        self.limit.set(count(Self::new(endpoints).series_limit()));
    }

    /// What there is, sorted by name.
    pub fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.declared.iter().map(Declared::descriptor)
    }

    /// Series that there can be: of the descriptors, not of the traffic.
    pub fn series_limit(&self) -> usize {
        self.descriptors().map(Descriptor::series).sum()
    }

    /// Counts what happened, and forgets it.
    pub fn record(&mut self, tally: &mut Tally) {
        self.observer.record(tally);
        for fact in &tally.facts {
            self.record_fact(fact);
        }
        for fact in &tally.transfers {
            if let TransferFact::Dropped { loss, .. } = fact {
                self.observer.lost(*loss, 1);
            }
            self.tftp.record(fact);
        }
        tally.clear();
    }

    /// Everything as it stands.
    pub fn encode(&mut self) -> Result<Exposition, std::fmt::Error> {
        self.series
            .set(count(self.declared.iter().map(Declared::series).sum()));
        // It seldom grows, and never much.
        let mut text = String::with_capacity(self.capacity + self.capacity / 8);
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        self.capacity = text.len();
        Ok(Exposition::new(text))
    }

    fn record_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Lost(loss) | Fact::Dropped { loss, .. } => self.observer.lost(*loss, 1),
            Fact::Unread(unread) => self.observer.unread(*unread),
            Fact::Begun { .. }
            | Fact::Answered { .. }
            | Fact::Named { .. }
            | Fact::Limited { .. }
            | Fact::Moved { .. }
            | Fact::Ended { .. }
            | Fact::Streaming { .. }
            | Fact::Delivered { .. }
            | Fact::Undelivered { .. }
            | Fact::Discarded { .. }
            | Fact::Displaced { .. } => {}
        }
        self.http.record(fact);
    }
}

fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(series: usize) -> i64 {
    i64::try_from(series).unwrap_or(i64::MAX)
}

/// To a total that somebody else counts.
fn raise(counter: &Counter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

#[cfg(test)]
mod tests;
