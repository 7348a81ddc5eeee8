//! The observer itself: its hooks, its tables, and what is in no number.

use crate::{
    live::message::Snapshot,
    top::{
        entry::{Entry, Order},
        list::Column,
        state::State,
        text,
    },
};

pub(super) const COLUMNS: [Column; 4] = [
    Column::text("what", 10, 0),
    Column::text("name", 20, 0),
    Column::number("value", 12, 0),
    Column::text("says", 20, 1).growing(),
];
pub(super) const NAME: usize = 0;

struct Part {
    what: &'static str,
    name: String,
    value: f64,
    cell: String,
    says: String,
    alarms: bool,
}

impl Entry for Part {
    fn key(&self) -> String {
        format!("{} {}", self.what, self.name)
    }

    fn cell(&self, column: usize) -> String {
        match column {
            NAME => self.what.to_owned(),
            1 => self.name.clone(),
            2 => self.cell.clone(),
            _ => self.says.clone(),
        }
    }

    fn order(&self, column: usize) -> Order {
        match column {
            NAME => Order::Text(self.key()),
            1 => Order::Text(self.name.clone()),
            2 => Order::Number(self.value),
            _ => Order::Text(self.says.clone()),
        }
    }

    fn text(&self) -> String {
        self.key()
    }

    fn alarms(&self) -> bool {
        self.alarms
    }
}

pub(super) fn entries(state: &State) -> Vec<Box<dyn Entry + '_>> {
    let all = state.snapshot.iter().flat_map(parts);
    all.map(|part| Box::new(part) as Box<dyn Entry>).collect()
}

fn parts(snapshot: &Snapshot) -> Vec<Part> {
    let probes = snapshot.probes.iter().map(|probe| Part {
        what: "probe",
        name: probe.hook.to_string(),
        value: probe.runs.unwrap_or(0) as f64,
        cell: probe.runs.map_or_else(|| "-".to_owned(), text::count),
        says: match (probe.attached, probe.run_s) {
            (false, _) => "not attached".to_owned(),
            (true, None) => "attached; runs count with kernel.bpf_stats_enabled".to_owned(),
            (true, Some(run_s)) => format!("attached; ran {}", text::seconds(run_s)),
        },
        alarms: !probe.attached,
    });
    let tables = snapshot.tables.iter().map(|table| Part {
        what: "table",
        name: table.table.to_string(),
        value: table.entries as f64,
        cell: table.entries.to_string(),
        says: format!("of {}", table.limit),
        alarms: table.entries >= table.limit - table.limit / 10,
    });
    let counts = |what: &'static str, says: &'static str, alarms: bool| {
        move |one: &crate::live::message::Count| Part {
            what,
            name: one.name.to_string(),
            value: one.count as f64,
            cell: one.count.to_string(),
            says: says.to_owned(),
            alarms: alarms && one.count != 0,
        }
    };
    let lost = snapshot.losses.iter();
    let lost = lost.map(counts("lost", "requests that are in no number", true));
    let full = snapshot.ring_full.iter().filter(|one| one.count != 0);
    let full = full.map(counts("ring full", "events that found no room", true));
    probes.chain(tables).chain(lost).chain(full).collect()
}
