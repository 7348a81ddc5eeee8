//! What is under way.

use ratatui::text::Line;

use crate::{
    live::message::{ROWS, Row},
    top::{
        entry::{Entry, Order},
        list::Column,
        state::State,
        text::{self, Side},
    },
};

pub(super) const COLUMNS: [Column; 11] = [
    Column::text("client", 15, 0),
    Column::text("endpoint", 12, 1),
    Column::text("phase", 12, 3),
    Column::number("age", 6, 1),
    Column::text("done", 15, 4),
    Column::number("bytes", 6, 4),
    Column::number("rate", 8, 2),
    Column::number("left", 6, 4),
    Column::text("waits for", 14, 1),
    Column::number("again", 6, 5),
    Column::text("path", 24, 0).growing(),
];
pub(super) const AGE: usize = 3;
/// Cells of a progress bar.
const BAR: usize = 10;

struct Live<'a>(&'a Row);

impl Entry for Live<'_> {
    fn key(&self) -> String {
        self.0.id.clone()
    }

    fn cell(&self, column: usize) -> String {
        let row = self.0;
        match column {
            0 => row.client.to_string(),
            1 => row.endpoint.clone(),
            2 => row.phase.to_string(),
            AGE => text::seconds(row.age_s),
            4 => part(row).map_or_else(String::new, |part| {
                format!("{} {:>3.0}%", text::bar(part, BAR), (part * 100.0).floor())
            }),
            5 => text::count(row.bytes),
            6 => row.rate.map_or_else(|| "-".to_owned(), text::rate),
            7 => left_s(row).map_or_else(|| "-".to_owned(), text::seconds),
            8 => waits_for(row),
            9 => row.retransmits.map_or_else(|| "-".to_owned(), text::count),
            _ => path(&row.path, row.path_cut),
        }
    }

    fn order(&self, column: usize) -> Order {
        let row = self.0;
        match column {
            0 => Order::Text(row.client.to_string()),
            1 => Order::Text(row.endpoint.clone()),
            2 => Order::Text(row.phase.to_string()),
            AGE => Order::Number(row.age_s),
            4 => Order::known(part(row)),
            5 => Order::count(row.bytes),
            6 => Order::known(row.rate),
            7 => Order::known(left_s(row)),
            8 => Order::Text(waits_for(row)),
            9 => Order::known(row.retransmits.map(|count| count as f64)),
            _ => Order::Text(row.path.clone()),
        }
    }

    fn text(&self) -> String {
        format!("{} {} {}", self.0.client, self.0.endpoint, self.0.path)
    }

    fn alarms(&self) -> bool {
        self.0.stalled_by.is_some()
    }
}

/// How much of it is there, from 0 to 1.
pub(super) fn part(row: &Row) -> Option<f64> {
    let total = row.total.filter(|total| *total != 0)?;
    Some((row.bytes as f64 / total as f64).min(1.0))
}

/// Seconds until all is there, if it goes on like this.
pub(super) fn left_s(row: &Row) -> Option<f64> {
    let rate = row.rate.filter(|rate| *rate > 0.0)?;
    Some(row.total?.saturating_sub(row.bytes) as f64 / rate)
}

fn waits_for(row: &Row) -> String {
    match (&row.stalled_by, &row.limiter) {
        (Some(stalled_by), _) => format!("!{stalled_by}"),
        (None, Some(limiter)) => limiter.to_string(),
        // Not answered yet: by a process, or by none that has taken it up.
        (None, None) if matches!(&*row.phase, "waiting" | "handling") => "server".to_owned(),
        (None, None) => String::new(),
    }
}

/// One that was cut says so.
pub(super) fn path(path: &str, is_cut: bool) -> String {
    match is_cut {
        true => format!("{path}..."),
        false => path.to_owned(),
    }
}

pub(super) fn entries(state: &State) -> Vec<Box<dyn Entry + '_>> {
    let rows = state.snapshot.iter().flat_map(|snapshot| &snapshot.rows);
    rows.map(|row| Box::new(Live(row)) as Box<dyn Entry>)
        .collect()
}

/// That there are more, and how to see them.
pub(super) fn left_out(state: &State, width: usize) -> Vec<Line<'static>> {
    let Some(snapshot) = state.snapshot.as_ref() else {
        return Vec::new();
    };
    let left_out = snapshot.rows_left_out;
    if left_out == 0 {
        return Vec::new();
    }
    let text = match snapshot.rows.len() < ROWS {
        true => format!(
            "{left_out} more behind what stands still and the oldest: End, / and < > show all"
        ),
        false => format!("! {left_out} more, younger than these, are not shown"),
    };
    vec![Line::from(text::fit(&text, width, Side::Left))]
}
