//! The paths that no rule knows, the most frequent of them: what a profile lacks.
//!
//! Space-saving (Metwally and others, 2005): a path that is not among those that are kept takes
//! the place of the rarest, and its count, so that no path is said to be rarer than it is.

use super::{
    classify::{Proto, RuleId},
    target::Target,
};

/// Paths that are kept.
pub const KEPT: usize = 50;

/// Kept paths.
#[derive(Debug, Default)]
pub struct Unmatched(Vec<Path>);

/// A path, and how often it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// By what.
    pub proto: Proto,
    /// The path, without a query.
    pub path: Target,
    /// Why it is in no endpoint.
    pub rule: RuleId,
    /// So often at most.
    pub count: u64,
    /// Of this so many may have been other paths.
    pub excess: u64,
}

impl Unmatched {
    /// It was asked for once more.
    pub fn count(&mut self, proto: Proto, target: &Target, rule: RuleId) {
        let path = target.path();
        let new = Path {
            proto,
            path,
            rule,
            count: 1,
            excess: 0,
        };
        let known = |one: &&mut Path| one.proto == proto && one.path == path;
        if let Some(known) = self.0.iter_mut().find(known) {
            known.count += 1;
        } else if self.0.len() < KEPT {
            self.0.push(new);
        } else if let Some(rarest) = self.0.iter_mut().min_by_key(|one| one.count) {
            *rarest = Path {
                count: rarest.count + 1,
                excess: rarest.count,
                ..new
            };
        }
    }

    /// The most frequent first.
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = self.0.clone();
        paths.sort_by_key(|path| std::cmp::Reverse(path.count));
        paths
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::classify::test_class;

    fn ask(unmatched: &mut Unmatched, number: usize) {
        let target = Target::new(format!("/{number}?query").as_bytes());
        unmatched.count(Proto::Http, &target, test_class().rule);
    }

    proptest! {
        /// No count is too low, none too high by more than it says, and they add up.
        #[test]
        fn counts_are_bounded_on_both_sides(asked in proptest::collection::vec(0..200_usize, 0..800)) {
            let mut unmatched = Unmatched::default();
            let mut exact: HashMap<Target, u64> = HashMap::new();
            for number in &asked {
                ask(&mut unmatched, *number);
                *exact.entry(Target::new(format!("/{number}").as_bytes())).or_default() += 1;
            }
            let paths = unmatched.paths();
            prop_assert!(paths.len() <= KEPT);
            prop_assert_eq!(paths.iter().map(|path| path.count).sum::<u64>(), asked.len() as u64);
            for path in paths {
                let exact = exact[&path.path];
                prop_assert!(path.count - path.excess <= exact && exact <= path.count);
            }
        }
    }
}
