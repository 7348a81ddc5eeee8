//! What ended last, with its path: for people, never for metrics.

use std::collections::VecDeque;

use super::{
    classify::{Class, Endpoint, Proto},
    fact::{self, ExchangeId, Fact, Phases},
    http::Status,
    target::Target,
    tftp,
    unmatched::Unmatched,
};

/// Requests and transfers that are kept.
pub const KEPT: usize = 1_024;

/// A request or transfer that ended.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Which one since the observer began, from 1.
    pub number: u64,
    /// When, `CLOCK_MONOTONIC` nanoseconds.
    pub at_ns: u64,
    /// The beginning of what was asked for.
    pub target: Target,
    /// What it was.
    pub what: What,
}

/// What ended.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// A request.
    Request {
        /// What was asked.
        asked: fact::Asked,
        /// The status, if a status line was sent.
        status: Option<Status>,
        /// Where its time went.
        phases: Phases,
        /// Bytes of the response, head included.
        bytes: u64,
        /// How it ended.
        outcome: fact::Outcome,
    },
    /// A transfer.
    Transfer {
        /// What was asked.
        asked: tftp::fact::Asked,
        /// Until it was answered, nanoseconds; `None` if it never was.
        wait_ns: Option<u64>,
        /// In all.
        duration_ns: u64,
        /// Bytes of the file.
        bytes: u64,
        /// Packets that the server sent again.
        retransmits: u64,
        /// How it ended.
        outcome: tftp::Outcome,
    },
}

impl What {
    /// As what it was classified.
    pub fn class(&self) -> Class {
        match self {
            Self::Request { asked, .. } => asked.class,
            Self::Transfer { asked, .. } => asked.class,
        }
    }

    fn proto(&self) -> Proto {
        match self {
            Self::Request { .. } => Proto::Http,
            Self::Transfer { .. } => Proto::Tftp,
        }
    }
}

/// The last of them, oldest first, and what of all is in no endpoint.
#[derive(Debug)]
pub struct Journal {
    entries: VecDeque<Entry>,
    count: u64,
    other: Endpoint,
    /// What is told right before a request's end.
    named: Option<(ExchangeId, Target)>,
    /// The same of a transfer.
    summed: Option<tftp::fact::Summary>,
    /// Paths that no rule knows.
    pub unmatched: Unmatched,
}

impl Journal {
    /// Nothing has ended. `other` is the endpoint of what no rule knows.
    pub fn new(other: Endpoint) -> Self {
        Self {
            entries: VecDeque::with_capacity(KEPT),
            count: 0,
            other,
            named: None,
            summed: None,
            unmatched: Unmatched::default(),
        }
    }

    /// Takes a fact.
    pub fn on_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Named { id, target } => self.named = Some((*id, *target)),
            Fact::Ended {
                id,
                asked,
                status,
                phases,
                response_bytes,
                outcome,
                ..
            } => {
                let named = self.named.take().filter(|(named, _)| named == id);
                let target = named.map(|(_, target)| target).unwrap_or_default();
                let what = What::Request {
                    asked: *asked,
                    status: *status,
                    phases: *phases,
                    bytes: *response_bytes,
                    outcome: *outcome,
                };
                self.push(asked.begun_ns + phases.duration(), target, what);
            }
            Fact::Begun { .. }
            | Fact::Answered { .. }
            | Fact::Limited { .. }
            | Fact::Moved { .. }
            | Fact::Streaming { .. }
            | Fact::Delivered { .. }
            | Fact::Undelivered { .. }
            | Fact::Discarded { .. }
            | Fact::Displaced { .. }
            | Fact::Dropped { .. }
            | Fact::Lost(_)
            | Fact::Unread(_) => {}
        }
    }

    /// Takes a fact about a transfer.
    pub fn on_transfer(&mut self, fact: &tftp::Fact) {
        match fact {
            tftp::Fact::Named { summary } => self.summed = Some(*summary),
            tftp::Fact::Ended {
                asked,
                outcome,
                duration_ns,
                at_ns,
            } => {
                let summed = self.summed.take();
                let summary = summed.filter(|summed| summed.peer == asked.peer);
                let summary = summary.unwrap_or_default();
                let what = What::Transfer {
                    asked: *asked,
                    wait_ns: summary.wait_ns,
                    duration_ns: *duration_ns,
                    bytes: summary.bytes,
                    retransmits: summary.retransmits,
                    outcome: *outcome,
                };
                self.push(*at_ns, summary.target, what);
            }
            tftp::Fact::Begun { .. }
            | tftp::Fact::Answered { .. }
            | tftp::Fact::Agreed { .. }
            | tftp::Fact::Moved { .. }
            | tftp::Fact::Failed { .. }
            | tftp::Fact::AnsweredLate
            | tftp::Fact::Dropped { .. } => {}
        }
    }

    /// How many have ended.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Those that ended behind so many, as far as they are kept, oldest first.
    pub fn since(&self, count: u64) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.number > count)
    }

    fn push(&mut self, at_ns: u64, target: Target, what: What) {
        let class = what.class();
        if class.endpoint == self.other {
            self.unmatched.count(what.proto(), &target, class.rule);
        }
        if self.entries.len() >= KEPT {
            self.entries.pop_front();
        }
        self.count += 1;
        self.entries.push_back(Entry {
            number: self.count,
            at_ns,
            target,
            what,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{classify::test_class, http::Method};

    fn end(journal: &mut Journal, turn: u32, name: Option<&str>) {
        let id = ExchangeId { cookie: 1, turn };
        if let Some(name) = name {
            let target = Target::new(name.as_bytes());
            journal.on_fact(&Fact::Named { id, target });
        }
        journal.on_fact(&Fact::Ended {
            id,
            asked: fact::Asked {
                tuple: Default::default(),
                method: Method::Get,
                class: test_class(),
                begun_ns: 7,
                line_ns: 7,
            },
            status: Status::new(200),
            phases: Phases::default(),
            response_bytes: 5,
            outcome: fact::Outcome::Complete,
            sampled_ns: 0,
        });
    }

    #[test]
    fn the_last_are_kept_and_numbered() {
        let mut journal = Journal::new(test_class().endpoint);
        for turn in 0..2_000 {
            end(&mut journal, turn, Some("/a"));
        }
        assert_eq!((journal.count(), journal.since(0).count()), (2_000, KEPT));
        let last: Vec<u64> = journal.since(1_997).map(|entry| entry.number).collect();
        assert_eq!(last, [1_998, 1_999, 2_000]);
        assert_eq!(journal.unmatched.paths()[0].count, 2_000);
    }

    #[test]
    fn nobody_has_the_path_of_another() {
        let mut journal = Journal::new(Endpoint::at(31));
        let id = ExchangeId { cookie: 9, turn: 9 };
        let target = Target::new(b"/b");
        journal.on_fact(&Fact::Named { id, target });
        end(&mut journal, 1, None);
        end(&mut journal, 2, Some("/a"));
        let targets: Vec<_> = journal.since(0).map(|entry| entry.target).collect();
        assert_eq!(targets, [Target::default(), Target::new(b"/a")]);
        assert!(journal.unmatched.paths().is_empty());
    }
}
