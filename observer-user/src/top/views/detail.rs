//! More of the selected line: exact values, and where its time went.

use ratatui::text::{Line, Span};

use super::{overview, transfers};
use crate::{
    commands::tail::clock,
    live::message::{Ended, Phases, Row},
    top::{
        list,
        state::{State, View},
        text::{self, Side},
    },
};

/// Cells of the timeline's widest bar.
const BAR: usize = 30;

/// Nothing where there is no more to be said.
pub(super) fn lines(state: &State, width: usize) -> Vec<Line<'static>> {
    let keys = list::keys(state);
    let Some(key) = keys.get(list::position(&keys, state.sorting())) else {
        return Vec::new();
    };
    let said = match state.view {
        View::Transfers => row(state, key).map(live),
        View::Recent => state
            .ended
            .iter()
            .find(|one| one.number.to_string() == *key)
            .map(past),
        View::Overview | View::Clients | View::Servers | View::Probes => values(state, key),
    };
    let rule = "-".repeat(width);
    let lines = std::iter::once(rule).chain(said.unwrap_or_default());
    let fitted = lines.map(|line| Line::from(Span::raw(text::fit(&line, width, Side::Left))));
    fitted.collect()
}

fn row<'a>(state: &'a State, key: &str) -> Option<&'a Row> {
    let mut rows = state.snapshot.iter().flat_map(|snapshot| &snapshot.rows);
    rows.find(|row| row.id == key)
}

/// Each column in full.
fn values(state: &State, key: &str) -> Option<Vec<String>> {
    let entries = list::entries(state);
    let entry = entries.iter().find(|entry| entry.key() == key)?;
    let columns = list::columns(state.view).iter().enumerate();
    let said =
        columns.map(|(index, column)| format!("{:>18}: {}", column.title, entry.cell(index)));
    let exact = match state.view {
        View::Overview => overview::exact(state, key),
        View::Transfers | View::Recent | View::Clients | View::Servers | View::Probes => Vec::new(),
    };
    Some(exact.into_iter().chain(said).collect())
}

fn live(row: &Row) -> Vec<String> {
    let total = row
        .total
        .map_or_else(|| "unknown".to_owned(), |total| total.to_string());
    let port = row
        .server_port
        .map_or_else(String::new, |port| format!(" to port {port}"));
    let pid = row
        .pid
        .map_or_else(String::new, |pid| format!(", process {pid}"));
    let mut said = vec![
        format!(
            "{} {}",
            row.method,
            transfers::path(&row.path, row.path_cut)
        ),
        format!(
            "from {} port {}{port} by {}, {} ({}){pid}",
            row.client, row.client_port, row.protocol, row.endpoint, row.stage
        ),
        format!(
            "began {} UTC, {:.3} s ago, now {}",
            clock(row.began_s),
            row.age_s,
            row.phase
        ),
        format!(
            "{} bytes of {total}, status {}",
            row.bytes,
            status(row.status)
        ),
    ];
    if let Some(retransmits) = row.retransmits {
        said.push(format!("{retransmits} packets sent again"));
    }
    if let Some(stalled_by) = &row.stalled_by {
        said.push(format!("! stands still: waits for {stalled_by}"));
    }
    said.extend(timeline(&row.phases));
    said
}

fn past(ended: &Ended) -> Vec<String> {
    let mut said = vec![
        format!(
            "{} {}",
            ended.method,
            transfers::path(&ended.path, ended.path_cut)
        ),
        format!(
            "from {} port {} by {}, {} ({})",
            ended.client, ended.client_port, ended.protocol, ended.endpoint, ended.stage
        ),
        format!(
            "ended {} UTC, {}, status {}",
            clock(ended.at_s),
            ended.outcome,
            status(ended.status)
        ),
        format!("{} bytes in {:.6} s", ended.bytes, ended.duration_s),
    ];
    if let Some(retransmits) = ended.retransmits {
        said.push(format!("{retransmits} packets sent again"));
    }
    said.extend(timeline(&ended.phases));
    said
}

fn status(status: Option<u16>) -> String {
    status.map_or_else(|| "none".to_owned(), |status| status.to_string())
}

/// One after the other, as parts of the whole.
fn timeline(phases: &Phases) -> Vec<String> {
    let all = [
        ("receive", Some(phases.receive_s)),
        ("queue", phases.queue_s),
        ("handle", Some(phases.handle_s)),
        ("transfer", phases.transfer_s),
    ];
    let whole: f64 = all.iter().filter_map(|(_, seconds)| *seconds).sum();
    let known = all
        .into_iter()
        .filter_map(|(name, seconds)| Some((name, seconds?)));
    known
        .map(|(name, seconds)| {
            let bar = text::bar(seconds / whole, BAR);
            format!("{name:>8} {bar} {seconds:.6} s")
        })
        .collect()
}
