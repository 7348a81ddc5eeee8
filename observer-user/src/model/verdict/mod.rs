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
mod second;
mod thresholds;
mod waits;
mod window;

use std::sync::Arc;

pub use self::{
    cause::Cause, finding::Finding, gather::Scene, hold::Change, thresholds::Thresholds,
};
use self::{gather::Gather, hold::Said, window::Window};
use super::{fact::Fact, tftp};

/// What is said, and what it is said from.
#[derive(Debug)]
pub struct Verdict {
    names: Vec<Arc<str>>,
    thresholds: Thresholds,
    gather: Gather,
    window: Window,
    said: Said,
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
        }
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

    /// Looks at what there is, about once a second. Returns what has changed, and how many seconds
    /// were looked at: they count for what is said now.
    pub fn look(&mut self, scene: Scene<'_>) -> (Vec<Change>, f64) {
        let now_ns = scene.now_ns;
        let Some(second) = self.gather.second(scene, &self.thresholds) else {
            return (Vec::new(), 0.0);
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
        let changes = self.said.take(shows, seconds, now_ns, &self.thresholds);
        (changes, seconds)
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
