//! The observer's waits beside the machines' own, request by request.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, btree_map::Entry},
    fmt::Write as _,
    time::Duration,
};

use anyhow::Result;
use observer_user::live::message::Ended;
use serde_json::{Value, json};

use super::{boot::Step, phase::Phase, play::Seen};
use crate::latency::Latencies;

/// All waits, by step and by when they began.
#[derive(Default)]
pub(super) struct Waits {
    both: BTreeMap<(Step, Phase), Both>,
    /// Answers to machines that the observer did not tell of.
    untold: usize,
    /// What it has told while nobody was there to hear.
    missed: u64,
    /// Waits that were longer by the observer than by the machine.
    longer: usize,
}

/// The same waits, by both.
struct Both {
    ours: Latencies,
    theirs: Latencies,
}

/// What a wait may be longer by the observer than by the machine, for the clock's reading takes time.
const CLOCKS: Duration = Duration::from_micros(50);
const QUANTILES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];
/// What both may differ by: so much, or this part of the machine's.
const TOLERANCE: (Duration, f64) = (Duration::from_millis(5), 0.05);

impl Waits {
    pub(super) fn of(seen: &Seen) -> Result<Self> {
        let mut told = by_request(&seen.heard.ended);
        let mut waits = Self {
            missed: seen.heard.missed,
            ..Self::default()
        };
        for record in &seen.records.steps {
            let request = (record.port, record.step.path().trim_start_matches('/'));
            match told.get_mut(&request).and_then(VecDeque::pop_front) {
                Some(ours) => waits.add((record.step, seen.phase_of(record)), ours, record.wait)?,
                None => waits.untold += 1,
            }
        }
        Ok(waits)
    }

    fn add(&mut self, row: (Step, Phase), ours: Duration, theirs: Duration) -> Result<()> {
        let both = match self.both.entry(row) {
            Entry::Occupied(both) => both.into_mut(),
            Entry::Vacant(place) => place.insert(Both {
                ours: Latencies::new()?,
                theirs: Latencies::new()?,
            }),
        };
        both.ours.record(ours);
        both.theirs.record(theirs);
        self.longer += usize::from(ours > theirs + CLOCKS);
        Ok(())
    }

    /// What cannot be, if both are right: answers that the observer did not tell of, and waits that
    /// were longer by it than by the machine, which asked before and heard after.
    pub(super) fn wrong(&self) -> Vec<String> {
        let (untold, longer) = (self.untold, self.longer);
        let untold = (untold > 0 && self.missed == 0).then(|| format!("{untold} answers not told"));
        let longer = (longer > 0).then(|| format!("{longer} waits longer than the machines'"));
        untold.into_iter().chain(longer).collect()
    }

    pub(super) fn table(&self) -> String {
        let mut table = format!("  {:<8}{:<8}{:>7}", "step", "", "waits");
        table.push_str("   ours: p50       p99   machine's: p50      p99 s\n");
        for row in self.rows() {
            let (step, phase) = (row.step.name(), row.phase.name());
            let [[our_p50, p50], [our_p99, p99]] = row
                .quantiles
                .map(|both| both.map(|time| time.as_secs_f64()));
            let mark = if row.is_off() { "  differ" } else { "" };
            let _ = writeln!(
                table,
                "  {step:<8}{phase:<8}{:>7}{our_p50:>12.4}{our_p99:>10.4}{p50:>17.4}{p99:>9.4}{mark}",
                row.count
            );
        }
        table
    }

    pub(super) fn json(&self) -> Value {
        let row = |row: Row| {
            let quantiles = QUANTILES.iter().zip(row.quantiles);
            let quantiles = quantiles.map(|((name, _), [ours, theirs])| {
                let both =
                    json!({ "observer": ours.as_secs_f64(), "machine": theirs.as_secs_f64() });
                ((*name).to_owned(), both)
            });
            json!({
                "step": row.step.name(),
                "phase": row.phase.name(),
                "count": row.count,
                "seconds": Value::Object(quantiles.collect()),
                "differ": row.is_off(),
            })
        };
        json!({
            "rows": self.rows().map(row).collect::<Value>(),
            "untold": self.untold,
            "missed": self.missed,
            "longer_than_the_machines": self.longer,
        })
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        self.both.iter().map(|((step, phase), both)| Row {
            step: *step,
            phase: *phase,
            count: both.ours.answers(),
            quantiles: QUANTILES.map(|(_, part)| {
                [&both.ours, &both.theirs]
                    .map(|waits| Duration::from_secs_f64(waits.quantile(part) / 1e6))
            }),
        })
    }
}

/// Of a step in a phase.
struct Row {
    step: Step,
    phase: Phase,
    count: u64,
    /// Ours and theirs.
    quantiles: [[Duration; 2]; QUANTILES.len()],
}

impl Row {
    fn is_off(&self) -> bool {
        let (time, part) = TOLERANCE;
        let is_off = |[ours, theirs]: &[Duration; 2]| {
            ours.abs_diff(*theirs) > time.max(theirs.mul_f64(part))
        };
        self.quantiles.iter().any(is_off)
    }
}

type Request<'a> = (u16, &'a str);

/// The waits of what was answered, by client port and path, in order.
fn by_request(ended: &[Ended]) -> HashMap<Request<'_>, VecDeque<Duration>> {
    let mut waits: HashMap<_, VecDeque<_>> = HashMap::new();
    for one in ended.iter().filter(|one| !one.failed) {
        let wait = one.phases.queue_s.unwrap_or_default() + one.phases.handle_s;
        let request = (one.client_port, one.path.trim_start_matches('/'));
        let wait = Duration::from_secs_f64(wait);
        waits.entry(request).or_default().push_back(wait);
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: (Step, Phase) = (Step::Script, Phase::During);

    fn waits(pairs: &[(u64, u64)]) -> Waits {
        let mut waits = Waits::default();
        for (ours, theirs) in pairs {
            let [ours, theirs] = [ours, theirs].map(|time| Duration::from_millis(*time));
            waits.add(ROW, ours, theirs).expect("histograms");
        }
        waits
    }

    #[test]
    fn waits_may_differ_by_a_little_or_by_a_twentieth() {
        for (pairs, off) in [
            (&[(1, 5), (1_000, 1_050)][..], 0),
            (&[(1, 7)], 1),
            (&[(0, 0), (1_000, 1_060)], 1),
        ] {
            let found = waits(pairs).rows().filter(Row::is_off).count();
            assert_eq!(found, off, "{pairs:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_told() {
        assert_eq!(waits(&[(1, 1), (5, 9)]).wrong(), [""; 0]);
        let longer = waits(&[(2, 1)]).wrong();
        assert_eq!(longer, ["1 waits longer than the machines'"]);
        let untold = |missed| Waits {
            untold: 2,
            missed,
            ..Waits::default()
        };
        assert_eq!(untold(0).wrong(), ["2 answers not told"]);
        assert_eq!(untold(1).wrong(), [""; 0]);
    }
}
