//! What machines noticed: how long each step of their boots took, by when it was begun.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt::Write as _,
};

use anyhow::Result;
use serde_json::{Value, json};

use super::{boot::Step, phase::Phase, play::Seen};
use crate::latency::Latencies;

/// Of all steps of all boots.
#[derive(Default)]
pub(super) struct Noticed(BTreeMap<(Step, Phase), Row>);

/// A step in a phase.
struct Row {
    first: Latencies,
    whole: Latencies,
    tries: u32,
}

const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

impl Noticed {
    pub(super) fn of(seen: &Seen) -> Result<Self> {
        let mut rows: BTreeMap<(Step, Phase), Row> = BTreeMap::new();
        for record in &seen.records.steps {
            let row = match rows.entry((record.step, seen.phase_of(record))) {
                Entry::Occupied(row) => row.into_mut(),
                Entry::Vacant(place) => place.insert(Row::new()?),
            };
            row.first.record(record.first);
            row.whole.record(record.whole);
            row.tries += record.tries;
        }
        Ok(Self(rows))
    }

    /// HTTP requests that were asked, if each was once: of one that failed nobody knows whether the
    /// server has seen it.
    pub(super) fn requests(&self) -> Option<u64> {
        let http = self.0.iter().filter(|((step, _), _)| *step != Step::Nbp);
        let asked = http.map(|(_, row)| {
            let answers = row.whole.answers();
            (u64::from(row.tries) == answers).then_some(answers)
        });
        asked.sum()
    }

    pub(super) fn table(&self) -> String {
        let mut table = format!("  {:<8}{:<8}{:>7}{:>7}", "step", "", "boots", "tries");
        table.push_str("   first byte: p50    p95    p99   whole: p50    p95    p99 s\n");
        for ((step, phase), row) in &self.0 {
            let (boots, tries) = (row.whole.answers(), row.tries);
            let (step, phase) = (step.name(), phase.name());
            let _ = write!(table, "  {step:<8}{phase:<8}{boots:>7}{tries:>7}        ");
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

    pub(super) fn json(&self) -> Value {
        let row = |((step, phase), row): (&(Step, Phase), &Row)| {
            json!({
                "step": step.name(),
                "phase": phase.name(),
                "boots": row.whole.answers(),
                "tries": row.tries,
                "first_byte_seconds": quantiles(&row.first),
                "whole_seconds": quantiles(&row.whole),
            })
        };
        self.0.iter().map(row).collect()
    }
}

impl Row {
    fn new() -> Result<Self> {
        Ok(Self {
            first: Latencies::new()?,
            whole: Latencies::new()?,
            tries: 0,
        })
    }
}

fn quantiles(latencies: &Latencies) -> Value {
    let quantiles = QUANTILES.map(|(name, part)| {
        let seconds = latencies.quantile(part) / 1e6;
        (name.to_owned(), Value::from(seconds))
    });
    Value::Object(quantiles.into_iter().collect())
}
