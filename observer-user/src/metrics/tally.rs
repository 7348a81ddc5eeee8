//! What happened since it was last recorded: it waits here while a scrape is encoded.

use std::{iter::zip, time::Duration};

use crate::model::{event::Kind, fact::Fact, tftp};

/// Work that is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Taking events from the ring.
    Drain,
    /// Looking at what is under way.
    Look,
    /// Searching for what was not told of.
    Sweep,
    /// Reading servers' queues.
    Sample,
}

impl Task {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Drain, Self::Look, Self::Sweep, Self::Sample];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Look => "look",
            Self::Sweep => "sweep",
            Self::Sample => "sample",
        }
    }
}

/// Not recorded yet.
#[derive(Debug, Default)]
pub struct Tally {
    /// Facts, in the order they were found.
    pub facts: Vec<Fact>,
    /// The same of transfers.
    pub transfers: Vec<tftp::Fact>,
    /// How long drains took.
    pub drains: Vec<Duration>,
    /// When the last one was, since 1970.
    pub last_drain: Option<Duration>,
    events: [u64; Kind::ALL.len()],
    skipped: [u64; Task::ALL.len()],
}

impl Tally {
    /// An event was taken from the ring.
    pub fn event(&mut self, kind: Kind) {
        if let Some(count) = self.events.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// Regular work was left out so many times.
    pub fn skip(&mut self, task: Task, times: u64) {
        for (known, count) in zip(Task::ALL, &mut self.skipped) {
            *count += if known == task { times } else { 0 };
        }
    }

    pub(super) fn events(&self) -> impl Iterator<Item = (Kind, u64)> {
        zip(Kind::ALL, self.events)
    }

    pub(super) fn skipped(&self) -> impl Iterator<Item = (Task, u64)> {
        zip(Task::ALL, self.skipped)
    }

    /// All of it is recorded. The space is used again.
    pub(super) fn clear(&mut self) {
        let Self {
            facts,
            transfers,
            drains,
            last_drain,
            events,
            skipped,
        } = self;
        facts.clear();
        transfers.clear();
        drains.clear();
        *last_drain = None;
        *events = Default::default();
        *skipped = Default::default();
    }
}
