//! Processes that serve, and what they do.

use crate::{
    live::message::Server,
    top::{
        entry::{Entry, Order},
        list::Column,
        state::State,
    },
};

pub(super) const COLUMNS: [Column; 9] = [
    Column::text("process", 16, 0).growing(),
    Column::number("pid", 8, 1),
    Column::number("port", 6, 1),
    Column::number("exchanges", 10, 0),
    Column::number("run", 5, 3),
    Column::number("sleep", 6, 4),
    Column::number("blocked", 8, 2),
    Column::number("stopped", 8, 2),
    Column::number("cpu", 6, 1),
];
pub(super) const EXCHANGES: usize = 3;

struct Process<'a>(&'a Server);

impl Entry for Process<'_> {
    fn key(&self) -> String {
        format!("{} {}", self.0.pid, self.0.port)
    }

    fn cell(&self, column: usize) -> String {
        let one = self.0;
        match column {
            0 => one.comm.clone(),
            1 => one.pid.to_string(),
            2 => one.port.to_string(),
            EXCHANGES => one.exchanges.to_string(),
            4 => one.running.to_string(),
            5 => one.sleeping.to_string(),
            6 => one.blocked.to_string(),
            7 => one.stopped.to_string(),
            _ => format!("{:.0}%", one.cpu_share * 100.0),
        }
    }

    fn order(&self, column: usize) -> Order {
        let one = self.0;
        match column {
            0 => Order::Text(one.comm.clone()),
            1 => Order::count(one.pid.into()),
            2 => Order::count(one.port.into()),
            EXCHANGES => Order::count(one.exchanges),
            4 => Order::count(one.running),
            5 => Order::count(one.sleeping),
            6 => Order::count(one.blocked),
            7 => Order::count(one.stopped),
            _ => Order::Number(one.cpu_share),
        }
    }

    fn text(&self) -> String {
        format!("{} {} {}", self.0.comm, self.0.pid, self.0.port)
    }

    fn alarms(&self) -> bool {
        self.0.stopped != 0 || self.0.blocked != 0
    }
}

pub(super) fn entries(state: &State) -> Vec<Box<dyn Entry + '_>> {
    let all = state.snapshot.iter().flat_map(|snapshot| &snapshot.servers);
    all.map(|one| Box::new(Process(one)) as Box<dyn Entry>)
        .collect()
}
