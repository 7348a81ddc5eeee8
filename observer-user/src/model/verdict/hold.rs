//! What is said once it has lasted, and until it is gone for long enough.

use std::collections::BTreeMap;

use super::{Cause, Finding, Thresholds};

/// A cause that shows, or did a moment ago.
#[derive(Debug)]
struct Shown {
    /// As it showed last.
    finding: Finding,
    /// Seconds in a row that it showed, or did not.
    shows: f64,
    gone: f64,
    said_since_ns: Option<u64>,
}

/// What is said, by cause.
#[derive(Debug, Default)]
pub(super) struct Said {
    causes: BTreeMap<Cause, Shown>,
}

/// A change of what is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// This starves somebody.
    Begins(Finding),
    /// This no longer does; after so many seconds.
    Ends(Cause, f64),
}

impl Said {
    /// Takes what shows after `seconds` more.
    pub(super) fn take(
        &mut self,
        shows: Vec<Finding>,
        seconds: f64,
        now_ns: u64,
        thresholds: &Thresholds,
    ) -> Vec<Change> {
        for shown in self.causes.values_mut() {
            shown.gone += seconds;
        }
        for finding in shows {
            let shown = self.causes.entry(finding.cause).or_insert(Shown {
                finding: finding.clone(),
                shows: 0.0,
                gone: 0.0,
                said_since_ns: None,
            });
            shown.finding = finding;
            shown.shows += seconds;
            shown.gone = 0.0;
        }
        let mut changes = Vec::new();
        self.causes.retain(|cause, shown| {
            match shown.said_since_ns {
                None if shown.gone > 0.0 => return false,
                None if shown.shows + SLACK >= f64::from(thresholds.hold_seconds) => {
                    shown.said_since_ns = Some(now_ns);
                    changes.push(Change::Begins(shown.finding.clone()));
                }
                Some(since_ns) if shown.gone + SLACK >= f64::from(thresholds.clear_seconds) => {
                    changes.push(Change::Ends(*cause, lasted(since_ns, now_ns)));
                    return false;
                }
                None | Some(_) => {}
            }
            true
        });
        changes
    }

    /// What is said, and since when.
    pub(super) fn findings(&self) -> impl Iterator<Item = (&Finding, u64)> {
        let shown = self.causes.values();
        shown.filter_map(|shown| Some((&shown.finding, shown.said_since_ns?)))
    }
}

/// Seconds come a little early or late.
const SLACK: f64 = 0.1;

fn lasted(since_ns: u64, now_ns: u64) -> f64 {
    std::time::Duration::from_nanos(now_ns.saturating_sub(since_ns)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::finding::Place;

    fn finding(cause: Cause) -> Finding {
        Finding {
            cause,
            surface: None,
            says: String::new(),
            evidence: Vec::new(),
            place: Place::Tftp,
            weight: 1.0,
        }
    }

    #[test]
    fn a_cause_is_said_when_it_has_lasted_and_until_it_is_gone_for_long() {
        let thresholds = Thresholds::default();
        let mut said = Said::default();
        let loss = Cause::TftpLoss;
        // By second: whether it shows, and whether it is said then.
        for (second, (shows, is_said)) in [
            (true, false),
            (true, false),
            (false, false),
            (true, false),
            (true, false),
            (true, true),
            (false, true),
            (false, true),
            (true, true),
            (false, true),
            (false, true),
            (false, true),
            (false, true),
            (false, false),
            (false, false),
        ]
        .into_iter()
        .enumerate()
        {
            let shown = if shows {
                vec![finding(loss)]
            } else {
                Vec::new()
            };
            let now_ns = second as u64 * 1_000_000_000;
            let changes = said.take(shown, 1.0, now_ns, &thresholds);
            assert_eq!(said.findings().count() == 1, is_said, "{second}");
            let expected = match second {
                5 => vec![Change::Begins(finding(loss))],
                13 => vec![Change::Ends(loss, 8.0)],
                _ => Vec::new(),
            };
            assert_eq!(changes, expected, "{second}");
        }
    }
}
