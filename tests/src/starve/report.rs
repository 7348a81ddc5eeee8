//! What a scenario came to: what was said beside what was injected, and what machines noticed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter, Write as _},
};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    boot::Step,
    clients::Record,
    facts::{Fact, Facts, facts},
    phase::Phase,
    play::{Seen, left_over},
};
use crate::latency::Latencies;

/// Of one scenario, played once.
pub struct Report {
    pub(super) scenario: String,
    pub(super) injected: Option<&'static str>,
    /// Each cause that was said while the cause was there, and after how many seconds.
    pub(super) said: BTreeMap<String, f64>,
    /// What was said before that.
    pub(super) said_before: BTreeSet<String>,
    /// Seconds from the end of the cause until nothing was said any more.
    pub(super) cleared: Option<f64>,
    sentence: String,
    machines: usize,
    unfinished: usize,
    latencies: BTreeMap<(Step, Phase), Row>,
    facts: Facts,
    /// What was not 0 in the end, and ought to be.
    pub(super) left_over: Vec<(&'static str, f64)>,
    /// The time that requests were in flight, and the sum of their durations, in seconds.
    pub(super) in_flight: (f64, f64),
    seconds: Vec<Value>,
}

/// A step in a phase.
struct Row {
    first: Latencies,
    whole: Latencies,
    tries: u32,
}

const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

impl Report {
    pub(super) fn of(seen: &Seen) -> Result<Self> {
        let of_phase = |phase| seen.samples.iter().filter(move |one| one.phase == phase);
        let mut said = BTreeMap::new();
        for sample in of_phase(Phase::During) {
            for cause in &sample.said {
                let after = (sample.at - seen.onset).as_secs_f64();
                said.entry(cause.clone()).or_insert(after);
            }
        }
        let sentences = of_phase(Phase::During).flat_map(|sample| &sample.sentences);
        let cleared = of_phase(Phase::After).find(|sample| sample.said.is_empty());
        Ok(Self {
            scenario: seen.scenario.name(),
            injected: seen.scenario.cause(),
            said,
            said_before: of_phase(Phase::Before)
                .flat_map(|sample| sample.said.iter().cloned())
                .collect(),
            cleared: cleared.map(|sample| (sample.at - seen.end).as_secs_f64()),
            sentence: sentences.last().cloned().unwrap_or_default(),
            machines: seen.machines,
            unfinished: seen.records.unfinished,
            latencies: latencies(seen)?,
            facts: facts(&seen.samples),
            left_over: left_over(&seen.last),
            in_flight: (
                seen.last.sum("http_requests_in_flight_seconds_total"),
                seen.last.sum("http_request_duration_seconds_sum"),
            ),
            seconds: seen
                .samples
                .iter()
                .map(|one| one.json(seen.onset))
                .collect(),
        })
    }

    /// Whether the injected cause was said, and no other, and only while it was there.
    pub fn is_right(&self) -> bool {
        let expected: BTreeSet<&str> = self.injected.into_iter().collect();
        let said: BTreeSet<&str> = self.said.keys().map(String::as_str).collect();
        said == expected && self.said_before.is_empty() && self.cleared.is_some()
    }

    /// What is not 0 in the end that ought to be; or else, where time in flight is not the sum of
    /// durations, both.
    pub fn leaves(&self) -> Vec<String> {
        let left = self.left_over.iter();
        let mut leaves: Vec<String> = left
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let (in_flight, durations) = self.in_flight;
        if leaves.is_empty() && (in_flight - durations).abs() > 0.01 * durations {
            leaves.push(format!(
                "{in_flight} s in flight, of durations {durations} s"
            ));
        }
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
            "latencies": latencies_json(&self.latencies),
            "facts": facts_json(&self.facts),
            "leaves": self.leaves(),
            "in_flight_seconds": self.in_flight.0,
            "durations_seconds": self.in_flight.1,
            "seconds": self.seconds,
        })
    }

    /// What machines noticed, step by step.
    pub fn latencies(&self) -> String {
        let mut table = format!("  {:<8}{:<8}{:>7}{:>7}", "step", "", "boots", "tries");
        table.push_str("   first byte: p50    p95    p99   whole: p50    p95    p99 s\n");
        for ((step, phase), row) in &self.latencies {
            let _ = write!(
                table,
                "  {:<8}{:<8}{:>7}{:>7}        ",
                step.name(),
                phase.name(),
                row.whole.answers(),
                row.tries
            );
            for latencies in [&row.first, &row.whole] {
                for (_, part) in QUANTILES {
                    let _ = write!(table, "{:>7.3}", latencies.quantile(part) / 1e6);
                }
                table.push_str("     ");
            }
            table.push('\n');
        }
        table
    }

    /// By what the cause shows: what changed with it.
    pub fn injection(&self) -> String {
        let mut table = format!(
            "  {:<76}{:>11}{:>11}{:>11}{:>11}\n",
            "mean, or mean a second", "before", "during", "peak", "after"
        );
        for (name, by_phase) in &self.facts {
            let of = |phase| by_phase.get(&phase).copied().unwrap_or_default();
            let [before, during, after] = Phase::ALL.map(of);
            if is_changed(before, during) {
                let _ = writeln!(
                    table,
                    "  {name:<76}{:>11.3}{:>11.3}{:>11.3}{:>11.3}",
                    before.mean, during.mean, during.peak, after.mean
                );
            }
        }
        table
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

fn latencies(seen: &Seen) -> Result<BTreeMap<(Step, Phase), Row>> {
    let phase_of = |record: &Record| {
        if record.begun < seen.onset {
            Phase::Before
        } else if record.begun < seen.end {
            Phase::During
        } else {
            Phase::After
        }
    };
    let mut rows = BTreeMap::new();
    for record in &seen.records.steps {
        let row = match rows.entry((record.step, phase_of(record))) {
            std::collections::btree_map::Entry::Occupied(row) => row.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => place.insert(Row {
                first: Latencies::new()?,
                whole: Latencies::new()?,
                tries: 0,
            }),
        };
        row.first.record(record.first);
        row.whole.record(record.whole);
        row.tries += record.tries;
    }
    Ok(rows)
}

/// By half, or in the beginning there was none of it.
fn is_changed(before: Fact, during: Fact) -> bool {
    let (least, most) = (before.mean.min(during.mean), before.mean.max(during.mean));
    most > 1.5 * least && most > 0.001
}

fn latencies_json(rows: &BTreeMap<(Step, Phase), Row>) -> Value {
    let of = |latencies: &Latencies| {
        let quantiles = QUANTILES.map(|(name, part)| {
            let seconds = latencies.quantile(part) / 1e6;
            (name.to_owned(), Value::from(seconds))
        });
        Value::Object(quantiles.into_iter().collect())
    };
    let row = |((step, phase), row): (&(Step, Phase), &Row)| {
        json!({
            "step": step.name(),
            "phase": phase.name(),
            "boots": row.whole.answers(),
            "tries": row.tries,
            "first_byte_seconds": of(&row.first),
            "whole_seconds": of(&row.whole),
        })
    };
    rows.iter().map(row).collect()
}

fn facts_json(facts: &Facts) -> Value {
    let of_phases = |by_phase: &BTreeMap<Phase, Fact>| -> Value {
        let fact = |(phase, fact): (&Phase, &Fact)| {
            let value = json!({ "mean": fact.mean, "peak": fact.peak });
            (phase.name().to_owned(), value)
        };
        Value::Object(by_phase.iter().map(fact).collect())
    };
    let all = facts
        .iter()
        .map(|(name, by_phase)| (name.clone(), of_phases(by_phase)));
    Value::Object(all.collect())
}
