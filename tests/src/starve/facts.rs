//! What the samples of each phase come to: of a gauge its mean and its peak, of a counter the same
//! of what it moved by in a second.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Value, json};

use super::{phase::Phase, sample::Sample};

/// Of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Fact {
    mean: f64,
    peak: f64,
}

type ByPhase = BTreeMap<Phase, Fact>;

/// By what was seen.
#[derive(Default)]
pub(super) struct Facts(BTreeMap<String, ByPhase>);

/// What a full segment carries over Ethernet.
const SEGMENT: f64 = 1_448.0;

impl Facts {
    /// Of all samples.
    pub(super) fn of(samples: &[Sample]) -> Self {
        let mut facts = BTreeMap::new();
        let names: BTreeSet<&String> = samples.iter().flat_map(|one| one.numbers.keys()).collect();
        for name in names {
            let value = |sample: &Sample| sample.numbers.get(name).copied().unwrap_or(0.0);
            let by_phase = if is_counter(name) {
                of_rates(samples, value)
            } else {
                of_values(samples, value)
            };
            facts.insert(name.clone(), by_phase);
        }
        let states: BTreeSet<&String> = samples.iter().flat_map(|one| one.states.keys()).collect();
        for state in states {
            let count = |sample: &Sample| f64::from(sample.states.get(state).copied().unwrap_or(0));
            facts.insert(format!("processes {state}"), of_values(samples, count));
        }
        facts.insert("retransmits of segments".to_owned(), retransmits(samples));
        Self(facts)
    }

    /// Those that changed with the cause.
    pub(super) fn table(&self) -> String {
        let mut table = format!(
            "  {:<76}{:>11}{:>11}{:>11}{:>11}\n",
            "mean, or mean a second", "before", "during", "peak", "after"
        );
        for (name, by_phase) in &self.0 {
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

    pub(super) fn json(&self) -> Value {
        let fact = |(phase, fact): (&Phase, &Fact)| {
            let value = json!({ "mean": fact.mean, "peak": fact.peak });
            (phase.name().to_owned(), value)
        };
        let of_phases = |by_phase: &ByPhase| Value::Object(by_phase.iter().map(fact).collect());
        let all = self.0.iter();
        Value::Object(
            all.map(|(name, by_phase)| (name.clone(), of_phases(by_phase)))
                .collect(),
        )
    }
}

/// By half, or in the beginning there was none of it.
fn is_changed(before: Fact, during: Fact) -> bool {
    let (least, most) = (before.mean.min(during.mean), before.mean.max(during.mean));
    most > 1.5 * least && most > 0.001
}

fn is_counter(series: &str) -> bool {
    let name = series.split('{').next().unwrap_or_default();
    ["_total", "_sum", "_count"]
        .iter()
        .any(|end| name.ends_with(end))
}

fn of_values(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> ByPhase {
    by_phase(samples.iter().map(|sample| (sample.phase, value(sample))))
}

fn of_rates(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> ByPhase {
    by_phase(samples.windows(2).map(|pair| {
        let time = (pair[1].at - pair[0].at).as_secs_f64();
        (pair[1].phase, (value(&pair[1]) - value(&pair[0])) / time)
    }))
}

fn by_phase(values: impl Iterator<Item = (Phase, f64)>) -> ByPhase {
    let mut all: BTreeMap<Phase, Vec<f64>> = BTreeMap::new();
    for (phase, value) in values {
        all.entry(phase).or_default().push(value);
    }
    let fact = |values: Vec<f64>| Fact {
        mean: values.iter().sum::<f64>() / values.len() as f64,
        peak: values.iter().copied().fold(0.0, f64::max),
    };
    all.into_iter()
        .map(|(phase, values)| (phase, fact(values)))
        .collect()
}

/// Segments that were sent again, of all that the answers' bytes fill.
fn retransmits(samples: &[Sample]) -> ByPhase {
    by_phase(samples.windows(2).map(|pair| {
        let moved = |family| pair[1].sum(family) - pair[0].sum(family);
        let segments = moved("http_response_bytes_total") / SEGMENT;
        let ratio = moved("tcp_retransmits_total") / segments.max(1.0);
        (pair[1].phase, ratio)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_mean_and_its_peak() {
        let values = [
            (Phase::Before, 1.0),
            (Phase::During, 2.0),
            (Phase::During, 4.0),
        ];
        let facts = by_phase(values.into_iter());
        let during = Fact {
            mean: 3.0,
            peak: 4.0,
        };
        assert_eq!((facts.len(), facts[&Phase::During]), (2, during));
    }

    #[test]
    fn counters_are_known_by_their_names() {
        for (name, expected) in [
            ("a_total{port=80}", true),
            ("a_seconds_sum{}", true),
            ("a_in_flight{x=_total}", false),
        ] {
            assert_eq!(is_counter(name), expected, "{name}");
        }
    }
}
