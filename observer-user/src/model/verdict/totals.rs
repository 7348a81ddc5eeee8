//! Counters that only grow, and what they grew by.

use std::{collections::HashMap, hash::Hash};

/// What counters moved by.
#[derive(Debug)]
pub(super) struct Totals<K>(HashMap<K, u64>);

impl<K> Default for Totals<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Totals<K> {
    /// Nothing for one that was not known: it may have counted for long.
    pub(super) fn more(&mut self, key: K, total: u64) -> u64 {
        let before = self.0.insert(key, total);
        before.map_or(0, |before| total.saturating_sub(before))
    }
}
