//! How long many have waited, as far as it is worth telling.

/// So many of the longest are kept: the 99th percentile of 6,400 is among them.
const KEPT: usize = 64;

/// Waits, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Waits {
    count: usize,
    /// Descending.
    longest: Vec<u64>,
}

impl Waits {
    pub(super) fn add(&mut self, ns: u64) {
        self.count += 1;
        self.keep(ns);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        other.longest.iter().for_each(|ns| self.keep(*ns));
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The 99th percentile; of more than are kept it is at least this.
    pub(super) fn p99(&self) -> u64 {
        let last = self.longest.len().saturating_sub(1);
        let at = (self.count / 100).min(last);
        self.longest.get(at).copied().unwrap_or(0)
    }

    pub(super) fn longest(&self) -> u64 {
        self.longest.first().copied().unwrap_or(0)
    }

    fn keep(&mut self, ns: u64) {
        let at = self.longest.partition_point(|longer| *longer >= ns);
        if at < KEPT {
            self.longest.insert(at, ns);
            self.longest.truncate(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_percentile_is_that_of_all(all in proptest::collection::vec(any::<u64>(), 0..1_000), cut in any::<usize>()) {
            let mut waits = [Waits::default(), Waits::default()];
            let cut = cut % (all.len() + 1);
            for (at, ns) in all.iter().enumerate() {
                waits[usize::from(at < cut)].add(*ns);
            }
            let [mut both, other] = waits;
            both.merge(&other);
            let mut sorted = all.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let expected = sorted.get(all.len() / 100).copied().unwrap_or(0);
            prop_assert_eq!((both.count(), both.p99()), (all.len(), expected));
            prop_assert_eq!(both.longest(), sorted.first().copied().unwrap_or(0));
        }
    }
}
