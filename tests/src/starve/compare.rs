//! Two runs, scenario by scenario.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// What was said, how soon, and what machines noticed, in both of two files that were written.
pub fn compare(before: &Value, after: &Value) -> Result<String> {
    let mut table = String::new();
    for report in after.as_array().context("a list of reports")? {
        let name = text(report, "scenario");
        let others = before.as_array().context("a list of reports")?.iter();
        let mut others = others.filter(|other| text(other, "scenario") == name);
        let line = |report: &Value| {
            let said = &report["said_after_seconds"];
            let cleared = &report["cleared_after_seconds"];
            format!("said {said}, cleared {cleared}, p99 {}", waits(report))
        };
        let other = others.next().map_or_else(|| "not there".to_owned(), line);
        let _ = writeln!(table, "{name}\n  - {other}\n  + {}", line(report));
    }
    Ok(table)
}

fn text<'a>(report: &'a Value, key: &str) -> &'a str {
    report[key].as_str().unwrap_or_default()
}

/// Each step's, while the cause was there.
fn waits(report: &Value) -> String {
    let rows = report["latencies"].as_array().into_iter().flatten();
    let during = rows.filter(|row| row["phase"] == "during");
    let waits = during.map(|row| {
        let p99 = row["whole_seconds"]["p99"].as_f64().unwrap_or_default();
        format!("{} {p99:.2} s", text(row, "step"))
    });
    waits.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_runs_of_a_scenario_are_beside_each_other() {
        let of = |seconds: f64| {
            json!([{
                "scenario": "converter",
                "said_after_seconds": { "workers_busy": seconds },
                "cleared_after_seconds": 2.0,
                "latencies": [
                    { "step": "os", "phase": "during", "whole_seconds": { "p99": 1.5 } },
                    { "step": "os", "phase": "after", "whole_seconds": { "p99": 0.1 } },
                ],
            }])
        };
        let expected = "converter\n  \
            - said {\"workers_busy\":9.0}, cleared 2.0, p99 os 1.50 s\n  \
            + said {\"workers_busy\":3.0}, cleared 2.0, p99 os 1.50 s\n";
        assert_eq!(compare(&of(9.0), &of(3.0)).expect("lists"), expected);
        compare(&json!({}), &of(1.0)).expect_err("no list");
    }
}
