//! What was injected, by what was said.

use std::{collections::BTreeSet, fmt::Write as _};

use super::Report;

/// A row for each injected cause, a column for each that was said, and how often it was.
pub fn matrix(reports: &[Report]) -> String {
    let injected: BTreeSet<&str> = reports.iter().map(injected).collect();
    let said: BTreeSet<&str> = reports.iter().flat_map(said).collect();
    let mut table = format!("{:<16}", "injected \\ said");
    for cause in &said {
        let _ = write!(table, "{cause:>16}");
    }
    for row in injected {
        let _ = write!(table, "\n{row:<16}");
        for cause in &said {
            let of_row = reports.iter().filter(|report| injected_is(report, row));
            let times = of_row.filter(|report| said_by(report, cause)).count();
            let _ = write!(table, "{times:>16}");
        }
    }
    table
}

const NOTHING: &str = "nothing";

fn injected(report: &Report) -> &str {
    report.injected.unwrap_or(NOTHING)
}

fn injected_is(report: &Report, row: &str) -> bool {
    injected(report) == row
}

fn said_by(report: &Report, cause: &str) -> bool {
    said(report).contains(&cause)
}

fn said(report: &Report) -> Vec<&str> {
    if report.said.is_empty() {
        return vec![NOTHING];
    }
    report.said.keys().map(String::as_str).collect()
}
