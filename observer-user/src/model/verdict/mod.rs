//! Who starves, and of what: facts and samples in, a handful of findings out.
//!
//! A [`Finding`] is told of what shows over the last seconds, once it has lasted
//! ([`Thresholds::hold_seconds`]) and until it is gone for long enough. What follows from another
//! cause is not told beside it. Nothing is told from thin evidence.

mod cause;
mod finding;
mod gather;
mod hold;
mod judge;
mod pids;
mod second;
mod thresholds;
mod totals;
mod waits;
mod window;

use std::{collections::BTreeMap, sync::Arc};

pub use self::{
    cause::Cause,
    finding::Finding,
    gather::{Each, Scene},
    hold::Change,
    thresholds::Thresholds,
};
use self::{gather::Gather, hold::Said, window::Window};
use super::{classify::Endpoint, fact::Fact, tftp};

/// What is said, and what it is said from.
#[derive(Debug)]
pub struct Verdict {
    names: Vec<Arc<str>>,
    thresholds: Thresholds,
    gather: Gather,
    window: Window,
    said: Said,
    seconds: BTreeMap<(Cause, Option<Endpoint>), f64>,
}

impl Verdict {
    /// Of endpoints with these names; nothing is known yet.
    pub fn new(names: &[Arc<str>], thresholds: Thresholds) -> Self {
        Self {
            names: names.to_vec(),
            thresholds,
            gather: Gather::default(),
            window: Window::default(),
            said: Said::default(),
            seconds: BTreeMap::new(),
        }
    }

    /// These are the names of the endpoints, and the thresholds, from now on.
    pub fn reload(&mut self, names: &[Arc<str>], thresholds: Thresholds) {
        self.names = names.to_vec();
        self.thresholds = thresholds;
    }

    /// Takes what happened.
    pub fn on_fact(&mut self, fact: &Fact) {
        self.gather.on_fact(fact);
    }

    /// Takes what happened.
    pub fn on_transfer(&mut self, fact: &tftp::Fact) {
        self.gather.on_transfer(fact);
    }

    /// The processes that took requests up in the last minutes.
    pub fn processes(&self) -> impl Iterator<Item = u32> {
        self.gather.processes()
    }

    /// Looks at what there is, about once a second. Returns what has changed.
    pub fn look(&mut self, scene: Scene<'_>) -> Vec<Change> {
        let now_ns = scene.now_ns;
        let Some(second) = self.gather.second(scene, &self.thresholds) else {
            return Vec::new();
        };
        let seconds = second.length;
        self.window.push(second);
        let context = judge::Context {
            window: &self.window,
            thresholds: &self.thresholds,
            names: &self.names,
            pids: self.gather.pids(),
        };
        let shows = judge::all(&context);
        let shows = self.without_what_follows(shows);
        let thresholds = &self.thresholds;
        let changes = self.said.take(shows, seconds, now_ns, thresholds);
        for (finding, _) in self.said.findings() {
            let key = (finding.cause, finding.surface);
            *self.seconds.entry(key).or_default() += seconds;
        }
        changes
    }

    /// What an endpoint is called.
    pub fn name(&self, endpoint: Endpoint) -> Option<&str> {
        self.names.get(endpoint.index()).map(AsRef::as_ref)
    }

    /// How long each cause was said, by the endpoint that saturates.
    pub fn seconds(&self) -> impl Iterator<Item = ((Cause, Option<Endpoint>), f64)> {
        self.seconds.iter().map(|(key, seconds)| (*key, *seconds))
    }

    /// What is said, and since when (`CLOCK_MONOTONIC` nanoseconds); what explains most first.
    pub fn findings(&self) -> impl Iterator<Item = (&Finding, u64)> {
        self.said.findings()
    }

    /// Also of what is still said, though it does not show any more.
    fn without_what_follows(&self, shows: Vec<Finding>) -> Vec<Finding> {
        let said: Vec<&Finding> = self.said.findings().map(|(finding, _)| finding).collect();
        let follows = |finding: &Finding| {
            let mut others = shows.iter().chain(said.iter().copied());
            others.any(|other| finding.follows_from(other))
        };
        shows
            .iter()
            .filter(|finding| !follows(finding))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests;
