//! A set of rules, by number.

use std::ops::{BitAnd, BitOr, Not};

/// Rules of one profile, which has [`RuleSet::CAPACITY`] of them at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RuleSet(u128);

impl RuleSet {
    pub(super) const CAPACITY: u8 = 128;
    pub(super) const EMPTY: Self = Self(0);

    pub(super) fn insert(&mut self, rule: u8) {
        debug_assert!(rule < Self::CAPACITY, "a profile has no such rule");
        self.0 |= 1_u128.checked_shl(rule.into()).unwrap_or_default();
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rule that comes first in the profile.
    pub(super) fn first(self) -> Option<u8> {
        u8::try_from(self.0.trailing_zeros())
            .ok()
            .filter(|rule| *rule < Self::CAPACITY)
    }
}

impl FromIterator<u8> for RuleSet {
    fn from_iter<I: IntoIterator<Item = u8>>(rules: I) -> Self {
        let mut set = Self::EMPTY;
        rules.into_iter().for_each(|rule| set.insert(rule));
        set
    }
}

impl BitAnd for RuleSet {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for RuleSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Not for RuleSet {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}
