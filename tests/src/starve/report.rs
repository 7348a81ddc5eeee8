//! What a scenario came to: what was said beside what was injected, and what machines noticed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter},
};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    books::Books, facts::Facts, noticed::Noticed, phase::Phase, play::Seen, sample::Sample,
    waits::Waits,
};

/// Of one scenario, played once.
pub struct Report {
    pub(super) scenario: String,
    pub(super) injected: Option<&'static str>,
    /// Each cause that was said since the cause was there, and after how many seconds.
    pub(super) said: BTreeMap<String, f64>,
    /// What was said before that.
    pub(super) said_before: BTreeSet<String>,
    /// Seconds from the end of the cause until nothing was said any more.
    pub(super) cleared: Option<f64>,
    sentence: String,
    machines: usize,
    unfinished: usize,
    noticed: Noticed,
    facts: Facts,
    books: Books,
    waits: Waits,
    seconds: Vec<Value>,
}

impl Report {
    pub(super) fn of(seen: &Seen) -> Result<Self> {
        let of_phase = |phase| seen.samples.iter().filter(move |one| one.phase == phase);
        let cause = seen.scenario.cause();
        let noticed = Noticed::of(seen)?;
        let samples = seen.samples.iter().chain([&seen.last]);
        let cleared = of_phase(Phase::After).find(|sample| sample.said.is_empty());
        Ok(Self {
            scenario: seen.scenario.name(),
            injected: cause,
            said: said(seen),
            said_before: of_phase(Phase::Before)
                .flat_map(|sample| sample.said.iter().cloned())
                .collect(),
            cleared: cleared.map(|sample| (sample.at - seen.end).as_secs_f64()),
            sentence: sentence(of_phase(Phase::During), cause),
            machines: seen.machines,
            unfinished: seen.records.unfinished,
            facts: Facts::of(&seen.samples),
            books: Books::of(seen, &noticed),
            waits: Waits::of(seen)?,
            noticed,
            seconds: samples.map(|one| one.json(seen.onset)).collect(),
        })
    }

    /// Whether the injected cause was said, and no other, and only while it was there.
    pub fn is_right(&self) -> bool {
        let expected: BTreeSet<&str> = self.injected.into_iter().collect();
        let said: BTreeSet<&str> = self.said.keys().map(String::as_str).collect();
        said == expected && self.said_before.is_empty() && self.cleared.is_some()
    }

    /// What is not as it ought to be, once nobody boots any more.
    pub fn leaves(&self) -> Vec<String> {
        let mut leaves = self.books.leaves();
        leaves.extend(self.waits.wrong());
        leaves
    }

    /// All of it.
    pub fn json(&self) -> Value {
        json!({
            "scenario": self.scenario,
            "injected": self.injected,
            "said_after_seconds": self.said,
            "said_before": self.said_before,
            "cleared_after_seconds": self.cleared,
            "sentence": self.sentence,
            "machines": self.machines,
            "unfinished": self.unfinished,
            "latencies": self.noticed.json(),
            "waits": self.waits.json(),
            "facts": self.facts.json(),
            "leaves": self.leaves(),
            "in_flight_seconds": self.books.in_flight,
            "durations_seconds": self.books.durations,
            "seconds": self.seconds,
        })
    }

    /// What machines noticed, step by step.
    pub fn latencies(&self) -> String {
        self.noticed.table()
    }

    /// The observer's waits beside the machines' own.
    pub fn waits(&self) -> String {
        self.waits.table()
    }

    /// By what the cause shows: what changed with it.
    pub fn injection(&self) -> String {
        self.facts.table()
    }
}

impl Display for Report {
    fn fmt(&self, line: &mut Formatter<'_>) -> fmt::Result {
        let injected = self.injected.unwrap_or("nothing");
        write!(line, "{:<14} injected {injected:<15} said ", self.scenario)?;
        let said = self.said.iter();
        let said: Vec<_> = said
            .map(|(cause, after)| format!("{cause} after {after:.1} s"))
            .collect();
        let nothing = said.is_empty();
        let said = if nothing {
            "nothing".to_owned()
        } else {
            said.join(", ")
        };
        line.write_str(&said)?;
        match self.cleared {
            Some(_) if nothing => {}
            Some(cleared) => write!(line, ", cleared after {cleared:.1} s")?,
            None => line.write_str(", not cleared")?,
        }
        if !self.said_before.is_empty() {
            write!(line, "; said before: {:?}", self.said_before)?;
        }
        if !self.sentence.is_empty() {
            write!(line, "  \"{}\"", self.sentence)?;
        }
        for left in self.leaves() {
            write!(line, "; in the end {left}")?;
        }
        Ok(())
    }
}

fn said(seen: &Seen) -> BTreeMap<String, f64> {
    let mut said = BTreeMap::new();
    let since = seen.samples.iter().filter(|one| one.phase != Phase::Before);
    for sample in since {
        for cause in &sample.said {
            let after = (sample.at - seen.onset).as_secs_f64();
            said.entry(cause.clone()).or_insert(after);
        }
    }
    said
}

/// The last of this cause, or else of any.
fn sentence<'a>(samples: impl Iterator<Item = &'a Sample>, cause: Option<&str>) -> String {
    let all: Vec<&String> = samples.flat_map(|sample| &sample.sentences).collect();
    let is_of_cause = |line: &&&String| cause.is_some_and(|cause| line.starts_with(cause));
    let of_cause = all.iter().rev().find(is_of_cause);
    of_cause
        .or(all.last())
        .map_or_else(String::new, |line| line.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(injected: Option<&'static str>, said: &[&str], cleared: Option<f64>) -> Report {
        Report {
            scenario: "converter".to_owned(),
            injected,
            said: said.iter().map(|cause| (cause.to_string(), 4.0)).collect(),
            said_before: BTreeSet::new(),
            cleared,
            sentence: String::new(),
            machines: 1,
            unfinished: 0,
            noticed: Noticed::default(),
            facts: Facts::default(),
            books: Books::default(),
            waits: Waits::default(),
            seconds: Vec::new(),
        }
    }

    #[test]
    fn only_what_was_injected_is_right() {
        const BUSY: &str = "workers_busy";
        for (injected, said, cleared, expected) in [
            (None, &[][..], Some(0.0), true),
            (None, &[BUSY], Some(0.0), false),
            (Some(BUSY), &[BUSY], Some(6.0), true),
            (Some(BUSY), &[BUSY], None, false),
            (Some(BUSY), &[BUSY, "link_full"], Some(6.0), false),
            (Some(BUSY), &[], Some(0.0), false),
        ] {
            let report = report(injected, said, cleared);
            assert_eq!(report.is_right(), expected, "{report}");
        }
    }

    #[test]
    fn a_report_is_one_line() {
        let mut report = report(Some("workers_busy"), &["workers_busy"], Some(6.0));
        report.sentence = "boot waits 8.2 s".to_owned();
        let expected = "converter      injected workers_busy    said workers_busy after 4.0 s, \
                        cleared after 6.0 s  \"boot waits 8.2 s\"";
        assert_eq!(report.to_string(), expected);
    }

    #[test]
    fn rows_are_what_was_injected_and_columns_what_was_said() {
        let reports = [
            report(Some("workers_busy"), &["workers_busy"], Some(1.0)),
            report(Some("workers_busy"), &["link_full"], Some(1.0)),
            report(None, &[], Some(1.0)),
        ];
        let expected = "\
injected \\ said        link_full         nothing    workers_busy
nothing                        0               1               0
workers_busy                   1               0               1";
        assert_eq!(super::super::matrix(&reports), expected);
    }
}
