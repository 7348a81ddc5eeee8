//! What starves; each endpoint; queues and links.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

use crate::{
    commands::text::figure,
    live::message::{Endpoint, Finding, Quantiles, Snapshot},
    top::{
        entry::{Entry, Order},
        list::Column,
        state::State,
        text::{self, Side},
        trend::Trend,
    },
};

pub(super) const COLUMNS: [Column; 12] = [
    Column::text("endpoint", 16, 0),
    Column::text("proto", 5, 2),
    Column::number("flight", 7, 0),
    Column::number("wait", 6, 1),
    Column::number("stall", 6, 1),
    Column::number("ended/s", 8, 4),
    Column::number("bytes/s", 8, 1),
    Column::number("p50", 6, 5),
    Column::number("p95", 6, 3),
    Column::number("p99", 6, 5),
    Column::number("errors", 6, 2),
    Column::text("in flight of late", 17, 6).growing(),
];
pub(super) const IN_FLIGHT: usize = 2;
/// Lines that a sentence has at most.
const SENTENCE: usize = 3;
/// Cells of a sparkline.
const SPARK: usize = 60;

struct Surface<'a>(&'a Endpoint, Trend);

impl Entry for Surface<'_> {
    fn key(&self) -> String {
        format!("{} {}", self.0.protocol, self.0.endpoint)
    }

    fn cell(&self, column: usize) -> String {
        let (one, trend) = (self.0, &self.1);
        match column {
            0 => one.endpoint.clone(),
            1 => one.protocol.to_string(),
            IN_FLIGHT => one.in_flight.to_string(),
            3 => one.waiting.to_string(),
            4 => one.stalled.to_string(),
            5 => text::frequency(trend.ended),
            6 => text::rate(trend.bytes),
            7 => took(one, |quantiles| quantiles.p50_s),
            8 => took(one, |quantiles| quantiles.p95_s),
            9 => took(one, |quantiles| quantiles.p99_s),
            10 => text::count(one.errors),
            _ => text::spark(
                trend.in_flight.iter().copied(),
                SPARK.min(trend.in_flight.len()),
            ),
        }
    }

    fn order(&self, column: usize) -> Order {
        let (one, trend) = (self.0, &self.1);
        let took = |of: fn(&Quantiles) -> f64| Order::known(one.duration.as_ref().map(of));
        match column {
            0 => Order::Text(one.endpoint.clone()),
            1 => Order::Text(one.protocol.to_string()),
            3 => Order::count(one.waiting),
            4 => Order::count(one.stalled),
            5 => Order::Number(trend.ended),
            6 => Order::Number(trend.bytes),
            7 => took(|quantiles| quantiles.p50_s),
            8 => took(|quantiles| quantiles.p95_s),
            9 => took(|quantiles| quantiles.p99_s),
            10 => Order::count(one.errors),
            _ => Order::count(one.in_flight),
        }
    }

    fn text(&self) -> String {
        self.key()
    }

    fn alarms(&self) -> bool {
        self.0.stalled != 0
    }
}

fn took(endpoint: &Endpoint, of: impl Fn(&Quantiles) -> f64) -> String {
    let quantiles = endpoint.duration.as_ref();
    quantiles.map_or_else(|| "-".to_owned(), |found| text::seconds(of(found)))
}

/// Those at which something was asked for.
pub(super) fn entries(state: &State) -> Vec<Box<dyn Entry + '_>> {
    let all = state
        .snapshot
        .iter()
        .flat_map(|snapshot| &snapshot.endpoints);
    let used = all.filter(|one| one.ended | one.in_flight | one.streams | one.bytes != 0);
    used.map(|one| Box::new(Surface(one, state.trends.endpoint(one))) as Box<dyn Entry>)
        .collect()
}

/// What columns have rounded, and how long answers were waited for.
pub(super) fn exact(state: &State, key: &str) -> Vec<String> {
    let mut all = state
        .snapshot
        .iter()
        .flat_map(|snapshot| &snapshot.endpoints);
    let is_it = |one: &&Endpoint| Surface(one, Trend::default()).key() == key;
    let Some(one) = all.find(is_it) else {
        return Vec::new();
    };
    let mut said = vec![format!(
        "{} ended, {} errors, {} bytes, {} streams",
        one.ended, one.errors, one.bytes, one.streams
    )];
    for (what, found) in [("took", &one.duration), ("waited", &one.wait)] {
        said.extend(found.map(|found| {
            format!(
                "of the last minute {} {what} {:.6} s (half), {:.6} s (95%), {:.6} s (99%)",
                found.count, found.p50_s, found.p95_s, found.p99_s
            )
        }));
    }
    said
}

/// The verdict, with its evidence.
pub(super) fn findings(state: &State, width: usize) -> Vec<Line<'static>> {
    let Some(snapshot) = &state.snapshot else {
        return Vec::new();
    };
    let theme = state.theme();
    if snapshot.findings.is_empty() {
        return vec![calm(state, snapshot, width)];
    }
    let said = snapshot.findings.iter().flat_map(|finding| {
        let lines = text::wrap(&sentence(finding), width, SENTENCE).into_iter();
        let evidence = text::fit(&evidence(finding), width, Side::Left);
        let lines = lines.map(|line| Line::from(Span::styled(line, theme.alarm())));
        lines.chain([Line::from(evidence)])
    });
    said.collect()
}

/// Who has only just begun does not know yet.
fn calm(state: &State, snapshot: &Snapshot, width: usize) -> Line<'static> {
    let (text, style) = if snapshot.is_judged() {
        ("none: nothing starves", state.theme().good())
    } else {
        ("none yet: it has only just begun", Style::new())
    };
    Line::from(Span::styled(text::fit(text, width, Side::Left), style))
}

fn sentence(finding: &Finding) -> String {
    let endpoint = finding.endpoint.as_deref().unwrap_or("all");
    let since = text::since(finding.since_s);
    format!(
        "! {} {endpoint} for {since}: {}",
        finding.cause, finding.says
    )
}

fn evidence(finding: &Finding) -> String {
    let found = finding.evidence.iter();
    let said = found.map(|(name, value)| format!("{name} {}", figure(*value)));
    format!("    {}", said.collect::<Vec<_>>().join(", "))
}

/// Where connections and datagrams wait, and what carries them.
pub(super) fn queues(state: &State, width: usize) -> Vec<Line<'static>> {
    let Some(snapshot) = &state.snapshot else {
        return Vec::new();
    };
    let theme = state.theme();
    let mut said = Vec::new();
    for one in &snapshot.listeners {
        let (length, limit) = (one.length, one.limit);
        let text = match one.up {
            true => format!(
                "tcp {}: {length} of {limit} wait to be accepted, {} turned away",
                one.port, one.drops
            ),
            false => format!(
                "tcp {}: nobody listens, {} turned away",
                one.port, one.drops
            ),
        };
        said.push((!one.up || length > limit, text));
    }
    for one in &snapshot.udp_queues {
        let bytes = text::count(one.bytes);
        let text = match one.up {
            true => format!(
                "udp {}: {bytes} wait to be read, {} dropped",
                one.port, one.drops
            ),
            false => format!("udp {}: nobody is bound, {} dropped", one.port, one.drops),
        };
        said.push((!one.up, text));
    }
    for one in &snapshot.links {
        let (received, sent) = state.trends.link(&one.name);
        let drops = one.received_drops.saturating_add(one.sent_drops);
        let speed = one.speed.map_or_else(
            || "unknown speed".to_owned(),
            |speed| text::rate(speed as f64),
        );
        let (received, sent) = (text::rate(received), text::rate(sent));
        said.push((
            false,
            format!(
                "link {}: {received} in, {sent} out of {speed}, {drops} dropped",
                one.name
            ),
        ));
    }
    let line = |(alarms, text): (bool, String)| {
        let mark = if alarms { "! " } else { "  " };
        let text = text::fit(&(mark.to_owned() + &text), width, Side::Left);
        Line::from(Span::styled(text, theme.line(alarms, false)))
    };
    said.into_iter().map(line).collect()
}
