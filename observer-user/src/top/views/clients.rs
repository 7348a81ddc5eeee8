//! Each machine: where it is in its boot, as far as it is known.

use std::{collections::BTreeMap, net::IpAddr};

use super::transfers::path;
use crate::{
    live::message::{Ended, Row},
    top::{
        entry::{Entry, Order},
        list::Column,
        state::State,
        text,
    },
};

pub(super) const COLUMNS: [Column; 8] = [
    Column::text("client", 18, 0),
    Column::text("stage", 14, 0),
    Column::number("idle", 6, 1),
    Column::number("flight", 6, 2),
    Column::number("ended", 6, 3),
    Column::number("failed", 6, 2),
    Column::number("bytes", 6, 3),
    Column::text("latest path", 12, 1).growing(),
];
pub(super) const AGE: usize = 2;

/// What is known of a machine, from what lives and what ended last.
struct Machine<'a> {
    client: IpAddr,
    stage: &'a str,
    path: &'a str,
    path_cut: bool,
    /// When what is latest of it began, or ended.
    latest_s: f64,
    /// Since then; 0 while something is under way.
    idle_s: f64,
    in_flight: u64,
    ended: u64,
    failed: u64,
    bytes: u64,
    stalls: bool,
}

impl<'a> Machine<'a> {
    fn new(client: IpAddr) -> Self {
        Self {
            client,
            stage: "",
            path: "",
            path_cut: false,
            latest_s: f64::MIN,
            idle_s: 0.0,
            in_flight: 0,
            ended: 0,
            failed: 0,
            bytes: 0,
            stalls: false,
        }
    }

    fn live(&mut self, row: &'a Row) {
        self.in_flight += 1;
        self.bytes = self.bytes.saturating_add(row.bytes);
        self.stalls |= row.stalled_by.is_some();
        self.latest(row.began_s, &row.stage, (&row.path, row.path_cut));
    }

    fn past(&mut self, ended: &'a Ended) {
        self.ended += 1;
        self.failed += u64::from(ended.failed);
        self.bytes = self.bytes.saturating_add(ended.bytes);
        self.latest(ended.at_s, &ended.stage, (&ended.path, ended.path_cut));
    }

    fn latest(&mut self, at_s: f64, stage: &'a str, (path, path_cut): (&'a str, bool)) {
        if at_s >= self.latest_s {
            self.latest_s = at_s;
            (self.stage, self.path, self.path_cut) = (stage, path, path_cut);
        }
    }
}

impl Entry for Machine<'_> {
    fn key(&self) -> String {
        self.client.to_string()
    }

    fn cell(&self, column: usize) -> String {
        match column {
            0 => self.client.to_string(),
            1 => self.stage.to_owned(),
            AGE => text::seconds(self.idle_s),
            3 => self.in_flight.to_string(),
            4 => self.ended.to_string(),
            5 => self.failed.to_string(),
            6 => text::count(self.bytes),
            _ => path(self.path, self.path_cut),
        }
    }

    fn order(&self, column: usize) -> Order {
        match column {
            0 => Order::Text(self.client.to_string()),
            1 => Order::Text(self.stage.to_owned()),
            AGE => Order::Number(self.idle_s),
            3 => Order::count(self.in_flight),
            4 => Order::count(self.ended),
            5 => Order::count(self.failed),
            6 => Order::count(self.bytes),
            _ => Order::Text(self.path.to_owned()),
        }
    }

    fn text(&self) -> String {
        format!("{} {} {}", self.client, self.stage, self.path)
    }

    fn alarms(&self) -> bool {
        self.stalls
    }
}

pub(super) fn entries(state: &State) -> Vec<Box<dyn Entry + '_>> {
    let mut machines: BTreeMap<IpAddr, Machine<'_>> = BTreeMap::new();
    for ended in &state.ended {
        let machine = machines.entry(ended.client);
        machine
            .or_insert_with(|| Machine::new(ended.client))
            .past(ended);
    }
    for row in state.snapshot.iter().flat_map(|snapshot| &snapshot.rows) {
        let machine = machines.entry(row.client);
        machine
            .or_insert_with(|| Machine::new(row.client))
            .live(row);
    }
    let now_s = state
        .snapshot
        .as_ref()
        .map_or(0.0, |snapshot| snapshot.at_s);
    let known = machines.into_values().map(|mut machine| {
        let is_busy = machine.in_flight != 0;
        let idle_s = (now_s - machine.latest_s).max(0.0);
        machine.idle_s = if is_busy { 0.0 } else { idle_s };
        Box::new(machine) as Box<dyn Entry>
    });
    known.collect()
}
