//! How fast things go: from one snapshot to the next.

use std::collections::{HashMap, VecDeque};

use crate::live::message::{Endpoint, Link, Snapshot};

/// Snapshots that are remembered for a sparkline.
pub(super) const KEPT: usize = 60;

/// Since the snapshot before.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trend {
    /// Ended a second.
    pub(super) ended: f64,
    /// Bytes a second.
    pub(super) bytes: f64,
    /// In flight, in the last snapshots.
    pub(super) in_flight: VecDeque<u64>,
}

/// Of endpoints, and of links their bytes received and sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Trends {
    endpoints: HashMap<(String, String), Trend>,
    links: HashMap<String, (f64, f64)>,
}

impl Trends {
    /// What moved from one snapshot to the next.
    pub(super) fn move_on(&mut self, former: Option<&Snapshot>, now: &Snapshot) {
        let elapsed = former.map_or(0.0, |former| now.uptime_s - former.uptime_s);
        let mut trends = std::mem::take(&mut self.endpoints);
        for endpoint in &now.endpoints {
            let before = former.and_then(|former| same(&former.endpoints, endpoint));
            let key = key(endpoint);
            let mut trend = trends.remove(&key).unwrap_or_default();
            trend.move_on(before, endpoint, elapsed);
            self.endpoints.insert(key, trend);
        }
        let links = now.links.iter().map(|link| {
            let before = |one: &&Link| one.name == link.name;
            let before = former.and_then(|former| former.links.iter().find(before));
            let of = |count: fn(&Link) -> u64| per_second(before.map(count), count(link), elapsed);
            (
                link.name.clone(),
                (of(|link| link.received), of(|link| link.sent)),
            )
        });
        self.links = links.collect();
    }

    pub(super) fn endpoint(&self, endpoint: &Endpoint) -> Trend {
        self.endpoints
            .get(&key(endpoint))
            .cloned()
            .unwrap_or_default()
    }

    /// Bytes a second received and sent.
    pub(super) fn link(&self, name: &str) -> (f64, f64) {
        self.links.get(name).copied().unwrap_or_default()
    }
}

impl Trend {
    fn move_on(&mut self, before: Option<&Endpoint>, now: &Endpoint, elapsed: f64) {
        self.ended = per_second(before.map(|before| before.ended), now.ended, elapsed);
        self.bytes = per_second(before.map(|before| before.bytes), now.bytes, elapsed);
        if self.in_flight.len() >= KEPT {
            self.in_flight.pop_front();
        }
        self.in_flight.push_back(now.in_flight);
    }
}

fn key(endpoint: &Endpoint) -> (String, String) {
    (endpoint.protocol.to_string(), endpoint.endpoint.clone())
}

fn same<'a>(all: &'a [Endpoint], endpoint: &Endpoint) -> Option<&'a Endpoint> {
    let same =
        |one: &&Endpoint| one.protocol == endpoint.protocol && one.endpoint == endpoint.endpoint;
    all.iter().find(same)
}

/// Another observer counts from 0 again.
fn per_second(before: Option<u64>, now: u64, elapsed: f64) -> f64 {
    let moved = before.map_or(0, |before| now.saturating_sub(before));
    if elapsed <= 0.0 {
        return 0.0;
    }
    moved as f64 / elapsed
}
