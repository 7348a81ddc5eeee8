//! The last seconds, and sums over them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    second::{Files, Link, Port, Second, Surface},
    waits::Waits,
};
use crate::model::{classify::Endpoint, limiter::Limiter, ports::Name};

/// Seconds that are looked at together.
pub(super) const WINDOW: usize = 5;
/// In so many of them something has to show to be no accident.
pub(super) const MOST: usize = 3;

/// The latest last.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<Second>);

impl Window {
    pub(super) fn push(&mut self, second: Second) {
        if self.0.len() == WINDOW {
            self.0.pop_front();
        }
        self.0.push_back(second);
    }

    pub(super) fn seconds(&self) -> impl Iterator<Item = &Second> {
        self.0.iter()
    }

    pub(super) fn latest(&self) -> Option<&Second> {
        self.0.back()
    }

    /// How long it is, in seconds; never 0.
    pub(super) fn length(&self) -> f64 {
        let length: f64 = self.seconds().map(|second| second.length).sum();
        length.max(0.001)
    }

    /// In how many seconds this holds; none if it does not hold in the latest.
    pub(super) fn count(&self, holds: impl Fn(&Second) -> bool) -> usize {
        if !self.latest().is_some_and(&holds) {
            return 0;
        }
        self.seconds().filter(|second| holds(second)).count()
    }

    pub(super) fn ports(&self) -> BTreeSet<Name> {
        let named = self.seconds().flat_map(|second| second.ports.keys());
        let served = self.seconds().flat_map(|second| second.surfaces.keys());
        named
            .copied()
            .chain(served.map(|(port, _)| *port))
            .collect()
    }

    /// The endpoints of a port.
    pub(super) fn surfaces(&self, port: Name) -> BTreeMap<Endpoint, Sum> {
        let mut sums: BTreeMap<Endpoint, Sum> = BTreeMap::new();
        for second in self.seconds() {
            let here = second.surfaces.iter().filter(|((at, _), _)| *at == port);
            for ((_, endpoint), surface) in here {
                sums.entry(*endpoint).or_default().add(surface);
            }
        }
        if let Some(latest) = self.latest() {
            for (endpoint, sum) in &mut sums {
                sum.latest = latest
                    .surfaces
                    .get(&(port, *endpoint))
                    .cloned()
                    .unwrap_or_default();
            }
        }
        sums
    }

    /// TFTP by endpoint: waits, blocks and retransmits of all, the rest as it is now.
    pub(super) fn files(&self) -> BTreeMap<Endpoint, Files> {
        let mut sums: BTreeMap<Endpoint, Files> = BTreeMap::new();
        for (endpoint, files) in self.seconds().flat_map(|second| &second.files) {
            let sum = sums.entry(*endpoint).or_default();
            sum.waits.merge(&files.waits);
            sum.blocks += files.blocks;
            sum.retransmits += files.retransmits;
        }
        for (endpoint, sum) in &mut sums {
            let now = self.latest().and_then(|second| second.files.get(endpoint));
            sum.waiting = now.map_or(0, |now| now.waiting);
            sum.running = now.map_or(0, |now| now.running);
        }
        sums
    }

    /// Sums of a port's counters.
    pub(super) fn port(&self, port: Name) -> Port {
        let latest = self.latest().and_then(|second| second.ports.get(&port));
        let mut sum = latest.copied().unwrap_or_default();
        (sum.drops, sum.retransmits) = (0, 0);
        for port in self.seconds().filter_map(|second| second.ports.get(&port)) {
            sum.drops += port.drops;
            sum.retransmits += port.retransmits;
        }
        sum
    }

    /// Sums of a link's counters; speed and backlog as they are now.
    pub(super) fn link(&self, name: &str) -> Link {
        let latest = self.latest().and_then(|second| second.links.get(name));
        let mut sum = latest.copied().unwrap_or_default();
        (sum.sent, sum.received, sum.sent_drops) = (0, 0, 0);
        for link in self.seconds().filter_map(|second| second.links.get(name)) {
            sum.sent += link.sent;
            sum.received += link.received;
            sum.sent_drops += link.sent_drops;
        }
        sum
    }
}

/// A surface over all seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    /// As it is now.
    pub(super) latest: Surface,
    pub(super) waits: Waits,
    pub(super) handled: Waits,
    limited: [f64; Limiter::ALL.len()],
    pub(super) bytes: u64,
}

impl Sum {
    fn add(&mut self, second: &Surface) {
        self.waits.merge(&second.waits);
        self.handled.merge(&second.handled);
        self.bytes += second.bytes;
        for (sum, seconds) in self.limited.iter_mut().zip(second.limited) {
            *sum += seconds;
        }
    }

    /// Seconds of sending, of all answers together.
    pub(super) fn sending(&self) -> f64 {
        self.limited.iter().sum()
    }

    /// Seconds that sending waited for this.
    pub(super) fn limited(&self, limiter: Limiter) -> f64 {
        self.limited.get(limiter as usize).copied().unwrap_or(0.0)
    }

    /// True if sending waited for this more than for all else.
    pub(super) fn is_limited_by(&self, limiter: Limiter) -> bool {
        self.limited(limiter) > self.sending() / 2.0
    }

    /// Bytes a second of one answer.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(super) fn rate(&self) -> f64 {
        self.bytes as f64 / self.sending().max(0.001)
    }
}
