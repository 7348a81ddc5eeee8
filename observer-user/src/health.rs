//! Whether the observer does its work: latches that its tasks set and that go stale, and what there
//! is to say of it.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::clock::monotonic_ns;

/// Events are drained every 50 ms at least; this long without is a fault, not a late tick.
const STALE: Duration = Duration::from_secs(5);
/// Lines of one section, and bytes of a line.
const LINES: usize = 64;
const LINE_BYTES: usize = 512;

/// When events were last drained, how far each task got, and what is said.
#[derive(Debug, Default)]
pub struct Health {
    last_drain_ns: AtomicU64,
    drains: AtomicU64,
    turns: AtomicU64,
    words: Mutex<[Vec<String>; Section::COUNT]>,
}

/// How often each task has come round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    drains: u64,
    turns: u64,
}

impl Progress {
    /// True if every task has come round since.
    pub fn is_beyond(&self, before: &Self) -> bool {
        self.drains != before.drains && self.turns != before.turns
    }
}

/// Who says something, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What is attached, and what is not.
    Probes,
    /// What came of the last reload.
    Configuration,
    /// Who starves.
    Starvation,
}

impl Section {
    const COUNT: usize = 3;
}

impl Health {
    /// Events were drained just now.
    pub fn drained(&self) {
        self.last_drain_ns.store(monotonic_ns(), Ordering::Relaxed);
        self.drains.fetch_add(1, Ordering::Relaxed);
    }

    /// The task that serves came round.
    pub fn served(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// How far the tasks got.
    pub fn progress(&self) -> Progress {
        Progress {
            drains: self.drains.load(Ordering::Relaxed),
            turns: self.turns.load(Ordering::Relaxed),
        }
    }

    /// True while events are being drained.
    pub fn is_draining(&self) -> bool {
        is_fresh(self.last_drain_ns.load(Ordering::Relaxed), monotonic_ns())
    }

    /// Says these lines from now on, instead of those that the section had; no more than there is
    /// room for.
    pub fn say(&self, section: Section, lines: impl IntoIterator<Item = String>) {
        let lines = lines.into_iter().take(LINES).map(shortened).collect();
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = words.get_mut(section as usize) {
            *said = lines;
        }
    }

    /// All that is said, section after section.
    pub fn words(&self) -> Vec<String> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.iter().flatten().cloned().collect()
    }
}

fn shortened(mut line: String) -> String {
    line.truncate(line.floor_char_boundary(LINE_BYTES));
    line
}

fn is_fresh(last_ns: u64, now_ns: u64) -> bool {
    last_ns != 0 && u128::from(now_ns.saturating_sub(last_ns)) < STALE.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_stale() {
        let second = 1_000_000_000;
        assert!(!is_fresh(0, second));
        assert!(is_fresh(10 * second, 14 * second));
        assert!(!is_fresh(10 * second, 15 * second));
    }

    #[test]
    fn progress_is_that_of_every_task() {
        let health = Health::default();
        let begun = health.progress();
        health.drained();
        assert!(!health.progress().is_beyond(&begun), "nobody served");
        health.served();
        let both = health.progress();
        assert!(both.is_beyond(&begun));
        health.served();
        assert!(!health.progress().is_beyond(&both), "nobody drained");
    }

    #[test]
    fn a_section_replaces_its_lines_and_is_bounded() {
        let health = Health::default();
        health.say(Section::Starvation, ["b".to_owned()]);
        health.say(Section::Probes, ["old".to_owned()]);
        health.say(Section::Probes, ["a".to_owned()]);
        assert_eq!(health.words(), ["a", "b"]);
        let long = "ä".repeat(LINE_BYTES);
        health.say(Section::Probes, vec![long; 2 * LINES]);
        let words = health.words();
        assert_eq!((words.len(), words[0].len()), (LINES + 1, LINE_BYTES));
    }
}
