//! What viewers at the live socket are told: made when one asks, and never more often than four
//! times a second, however many ask.

mod ended;
mod rows;
mod servers;
mod state;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use self::rows::Paces;
use super::Observer;
use crate::{
    clock::{monotonic_ns, unix},
    live::{
        Answer, Ask, Question, Viewers,
        message::{Filter, Finding, Message, Recent, Unmatched},
    },
    model::{
        classify::{Classifier, Proto, escape::escape},
        fact::Fact,
        journal::Journal,
        table::Table,
        tftp,
        totals::Totals,
        unmatched,
    },
};

/// Between snapshots.
const SNAPSHOT: Duration = Duration::from_millis(250);

/// What is kept for viewers, and who waits.
pub struct Views {
    classifier: Arc<Classifier>,
    viewers: Arc<Viewers>,
    asked: Vec<Ask>,
    /// When the last snapshot was made.
    latest: Option<Instant>,
    /// All that lives was looked at just now.
    pub(super) looked: bool,
    began: Instant,
    journal: Journal,
    requests: Totals,
    transfers: Totals,
    paces: Paces,
    /// As counted last.
    pub(super) tables: Vec<(Table, usize, usize)>,
    /// What starves.
    pub(super) findings: Vec<Finding>,
}

impl Views {
    /// Nobody has asked.
    pub fn new(classifier: Arc<Classifier>, viewers: Arc<Viewers>) -> Self {
        Self {
            viewers,
            asked: Vec::new(),
            latest: None,
            looked: false,
            began: Instant::now(),
            journal: Journal::new(classifier.other()),
            requests: Totals::default(),
            transfers: Totals::default(),
            paces: Paces::default(),
            tables: Vec::new(),
            findings: Vec::new(),
            classifier,
        }
    }

    /// Somebody asks: there are no more than viewers.
    pub(super) fn ask(&mut self, ask: Ask) {
        self.asked.push(ask);
    }

    /// True if somebody waits who can be answered: the next drain is never far.
    pub(super) fn is_due(&self) -> bool {
        self.asked.iter().any(|ask| match ask.question {
            Question::Snapshot { has_time, .. } => self.is_rested(has_time),
            Question::Recent { .. } | Question::Unmatched => true,
        })
    }

    /// True if a snapshot may be made: the last one was long enough ago, and who has time waits for
    /// a look that is made anyway.
    fn is_rested(&self, has_time: bool) -> bool {
        let is_long_ago = |latest: Instant| latest.elapsed() >= SNAPSHOT;
        (self.looked || !has_time) && self.latest.is_none_or(is_long_ago)
    }

    /// Rows that are asked for at most, if a snapshot is to be made.
    fn wanted(&self) -> Option<usize> {
        let wanted = self.asked.iter().filter_map(|ask| match ask.question {
            Question::Snapshot { rows, has_time } => Some((rows, has_time)),
            Question::Recent { .. } | Question::Unmatched => None,
        });
        let is_due = wanted.clone().any(|(_, has_time)| self.is_rested(has_time));
        wanted.map(|(rows, _)| rows).max().filter(|_| is_due)
    }

    pub(super) fn on_fact(&mut self, fact: &Fact) {
        self.requests.on_fact(fact);
        self.journal.on_fact(fact);
    }

    pub(super) fn on_transfer(&mut self, fact: &tftp::Fact) {
        self.transfers.on_transfer(fact);
        self.journal.on_transfer(fact);
    }

    /// Who watches, and how many frames viewers missed.
    pub(super) fn viewers(&self) -> (usize, u64) {
        (self.viewers.now(), self.viewers.missed())
    }

    fn recent(&self, after: u64, last: usize, filter: &Filter) -> Recent {
        let (now_ns, now) = (monotonic_ns(), unix());
        let ended = |entry| ended::ended(entry, &self.classifier, now_ns, now);
        let taken = self.journal.since(after).rev().map(ended);
        let taken = taken.filter(|ended| filter.takes(ended)).take(last);
        let mut ended: Vec<_> = taken.collect();
        ended.reverse();
        let kept = self.journal.since(after).count() as u64;
        let is_followed = after != 0;
        let gone = self.journal.count().saturating_sub(after + kept);
        Recent {
            ended,
            missed: if is_followed { gone } else { 0 },
            count: self.journal.count(),
        }
    }

    fn unmatched(&self) -> Vec<Unmatched> {
        let paths = self.journal.unmatched.paths().into_iter();
        paths.map(|path| self.path(&path)).collect()
    }

    fn path(&self, path: &unmatched::Path) -> Unmatched {
        Unmatched {
            protocol: protocol(path.proto).into(),
            path: escape(path.path.as_bytes()),
            path_cut: path.path.is_cut(),
            rule: self.classifier.rule_name(path.rule).to_owned(),
            count: path.count,
            excess: path.excess,
        }
    }
}

impl Observer {
    /// Answers all who wait; one snapshot is for all of them.
    pub(super) fn show(&mut self) {
        self.drain();
        let rows = self.views.wanted();
        let snapshot = rows.map(|rows| self.snapshot(rows));
        for ask in std::mem::take(&mut self.views.asked) {
            let said = match (&ask.question, &snapshot) {
                (Question::Snapshot { .. }, Some(snapshot)) => Arc::clone(snapshot),
                (Question::Snapshot { .. }, None) => {
                    self.views.asked.push(ask);
                    continue;
                }
                (
                    Question::Recent {
                        after,
                        last,
                        filter,
                    },
                    _,
                ) => said(Message::Recent(self.views.recent(*after, *last, filter))),
                (Question::Unmatched, _) => said(Message::Unmatched(self.views.unmatched())),
            };
            // A viewer that left does not want it.
            let _ = ask.answer.send(said);
        }
    }

    fn snapshot(&mut self, rows: usize) -> Arc<Answer> {
        if !self.views.looked {
            self.look();
        }
        let answer = said(Message::Snapshot(Box::new(self.state(rows))));
        self.views.latest = Some(Instant::now());
        answer
    }
}

fn said(message: Message) -> Arc<Answer> {
    Arc::new(Answer::new(message))
}

fn protocol(proto: Proto) -> &'static str {
    match proto {
        Proto::Http => "http",
        Proto::Tftp => "tftp",
    }
}

/// Seconds since 1970 of an instant of the kernel side's clock.
fn when(at_ns: u64, now_ns: u64, now: Duration) -> f64 {
    let ago = Duration::from_nanos(now_ns.saturating_sub(at_ns));
    now.saturating_sub(ago).as_secs_f64()
}

fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}
