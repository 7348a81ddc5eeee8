//! What ended.

use super::transfers::path;
use crate::{
    commands::tail::clock,
    live::message::Ended,
    top::{
        entry::{Entry, Order},
        list::Column,
        state::State,
        text,
    },
};

pub(super) const COLUMNS: [Column; 9] = [
    Column::text("ended (UTC)", 12, 1),
    Column::text("client", 15, 0),
    Column::text("endpoint", 12, 1),
    Column::text("method", 6, 4),
    Column::text("status", 6, 2),
    Column::text("outcome", 17, 2),
    Column::number("took", 6, 1),
    Column::number("bytes", 6, 3),
    Column::text("path", 12, 0).growing(),
];
pub(super) const TIME: usize = 0;

struct Past<'a>(&'a Ended);

impl Entry for Past<'_> {
    fn key(&self) -> String {
        self.0.number.to_string()
    }

    fn cell(&self, column: usize) -> String {
        let one = self.0;
        match column {
            TIME => clock(one.at_s),
            1 => one.client.to_string(),
            2 => one.endpoint.clone(),
            3 => one.method.to_string(),
            4 => one
                .status
                .map_or_else(|| "-".to_owned(), |status| status.to_string()),
            5 => one.outcome.to_string(),
            6 => text::seconds(one.duration_s),
            7 => text::count(one.bytes),
            _ => path(&one.path, one.path_cut),
        }
    }

    fn order(&self, column: usize) -> Order {
        let one = self.0;
        match column {
            TIME => Order::Number(one.at_s),
            1 => Order::Text(one.client.to_string()),
            2 => Order::Text(one.endpoint.clone()),
            3 => Order::Text(one.method.to_string()),
            4 => Order::known(one.status.map(f64::from)),
            5 => Order::Text(one.outcome.to_string()),
            6 => Order::Number(one.duration_s),
            7 => Order::count(one.bytes),
            _ => Order::Text(one.path.clone()),
        }
    }

    fn text(&self) -> String {
        let one = self.0;
        format!(
            "{} {} {} {}",
            one.client, one.endpoint, one.path, one.outcome
        )
    }

    fn alarms(&self) -> bool {
        self.0.failed
    }
}

pub(super) fn entries(state: &State) -> Vec<Box<dyn Entry + '_>> {
    let all = state.ended.iter();
    all.map(|one| Box::new(Past(one)) as Box<dyn Entry>)
        .collect()
}
