//! What shows in the last seconds: pure functions of them.

mod http;
mod network;
mod tftp;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Finding, Thresholds,
    finding::Place,
    pids::Pids,
    window::{Sum, Window},
};
use crate::model::classify::Endpoint;

/// What is judged, and by what.
pub(super) struct Context<'a> {
    pub(super) window: &'a Window,
    pub(super) thresholds: &'a Thresholds,
    pub(super) names: &'a [Arc<str>],
    pub(super) pids: &'a Pids,
}

/// All that shows, of each cause the place where most suffer.
pub(super) fn all(context: &Context<'_>) -> Vec<Finding> {
    let ports = context.window.ports();
    let mut shows: Vec<Finding> = ports
        .into_iter()
        .flat_map(|port| http::all(context, port))
        .chain(network::link_full(context))
        .chain(tftp::all(context))
        .collect();
    shows.sort_by(|a, b| a.cause.cmp(&b.cause).then(b.weight.total_cmp(&a.weight)));
    shows.dedup_by_key(|finding| finding.cause);
    shows
}

impl Context<'_> {
    fn name(&self, endpoint: Endpoint) -> &str {
        self.names
            .get(endpoint.index())
            .map_or("other", AsRef::as_ref)
    }

    /// How many these are, if they are known and all held by a signal or a debugger.
    fn stopped(&self, pids: &BTreeSet<u32>) -> Option<usize> {
        let latest = self.window.latest()?;
        let known: Vec<_> = pids
            .iter()
            .filter_map(|pid| latest.processes.get(pid))
            .collect();
        let are_stopped = known.iter().all(|process| process.threads.are_stopped());
        (are_stopped && !known.is_empty()).then_some(known.len())
    }

    /// "nginx (3 processes)", as far as they are known.
    fn server(&self, pids: impl IntoIterator<Item = u32>) -> String {
        let processes = self.window.latest().map(|second| &second.processes);
        let pids: Vec<u32> = pids.into_iter().collect();
        let known = pids.iter().find_map(|pid| processes?.get(pid));
        let comm = known.map_or("the server", |process| &process.comm);
        match pids.len() {
            0 | 1 => comm.to_owned(),
            count => format!("{comm} ({count} processes)"),
        }
    }
}

/// Of whom most wait.
fn who_waits(surfaces: &BTreeMap<Endpoint, Sum>) -> Option<(Endpoint, &Sum)> {
    let most = surfaces.iter().max_by_key(|(_, sum)| sum.latest.waiting);
    most.filter(|(_, sum)| sum.latest.waiting != 0)
        .map(|(endpoint, sum)| (*endpoint, sum))
}

/// Too many to matter where they are told.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn total(count: u64) -> f64 {
    count as f64
}

/// A network's cause is everywhere.
const NETWORK: Place = Place::Network;
