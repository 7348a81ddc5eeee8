//! What lives, in the order in which people look for it.

use super::stall::WaitsFor;

/// What stands still comes first, then the older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    moves: bool,
    begun_ns: u64,
}

impl Rank {
    /// Of what stands still and waits for somebody, or does not.
    pub(super) fn new(stalled: Option<WaitsFor>, begun_ns: u64) -> Self {
        let moves = stalled.is_none();
        Self { moves, begun_ns }
    }
}

/// So many of them, in order; the others are not sorted.
pub(super) fn first<T>(mut all: Vec<T>, most: usize, rank: impl Fn(&T) -> Rank) -> Vec<T> {
    if all.len() > most {
        all.select_nth_unstable_by_key(most, &rank);
        all.truncate(most);
    }
    all.sort_unstable_by_key(rank);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_still_is_first_however_young() {
        let stalled = Some(WaitsFor::Server);
        let all = vec![(None, 3), (stalled, 9), (None, 1), (stalled, 5), (None, 2)];
        let begun = |most| {
            let first = first(all.clone(), most, |(stalled, at)| Rank::new(*stalled, *at));
            first.into_iter().map(|(_, at)| at).collect::<Vec<_>>()
        };
        for (most, expected) in [
            (0, vec![]),
            (1, vec![5]),
            (3, vec![5, 9, 1]),
            (5, vec![5, 9, 1, 2, 3]),
            (9, vec![5, 9, 1, 2, 3]),
        ] {
            assert_eq!(begun(most), expected, "{most}");
        }
    }
}
