//! What a line of a list is of.

use std::cmp::Ordering;

/// A line, whatever it is of.
pub(super) trait Entry {
    /// By which it is known in the next snapshot.
    fn key(&self) -> String;
    /// What is in a column, as others wrote it.
    fn cell(&self, column: usize) -> String;
    /// What a column is sorted by.
    fn order(&self, column: usize) -> Order;
    /// What is filtered by.
    fn text(&self) -> String;
    /// Something is wrong with it.
    fn alarms(&self) -> bool;
}

/// What is sorted by: of a column all are the one or the other.
#[derive(Clone, Debug)]
pub(super) enum Order {
    Number(f64),
    Text(String),
}

impl Order {
    /// Of a count.
    pub(super) fn count(count: u64) -> Self {
        Self::Number(count as f64)
    }

    /// What is not known is the least.
    pub(super) fn known(number: Option<f64>) -> Self {
        Self::Number(number.unwrap_or(-1.0))
    }
}

impl Eq for Order {}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Order {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
