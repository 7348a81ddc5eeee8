//! Block numbers have 16 bits; files are longer.

/// How the numbers go on behind 65535.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rollover {
    /// What almost everybody does.
    ToZero,
    ToOne,
}

impl Rollover {
    /// Of all block numbers of a transfer's DATA: only behind a rollover is there a block 0.
    pub(super) fn of(mut blocks: impl Iterator<Item = u16>) -> Self {
        match blocks.any(|block| block == 0) {
            true => Self::ToZero,
            false => Self::ToOne,
        }
    }

    /// The place in the file, from 1, of the block with this number that is nearest to `near`.
    pub(super) fn place(self, number: u16, near: u64) -> u64 {
        let number = u64::from(number);
        let period = match self {
            Self::ToZero => 1 << 16,
            Self::ToOne if number == 0 => return 0,
            Self::ToOne => (1 << 16) - 1,
        };
        let rounds = (near + period / 2).saturating_sub(number) / period;
        number + rounds * period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_placed_where_the_transfer_is() {
        let check = |rollover: Rollover, number, near, place| {
            assert_eq!(
                rollover.place(number, near),
                place,
                "{rollover:?} {number} {near}"
            );
        };
        for rollover in [Rollover::ToZero, Rollover::ToOne] {
            check(rollover, 0, 0, 0);
            check(rollover, 1, 0, 1);
            check(rollover, 65_535, 65_534, 65_535);
            check(rollover, 65_534, 65_536, 65_534);
        }
        check(Rollover::ToZero, 0, 65_535, 65_536);
        check(Rollover::ToZero, 1, 65_536, 65_537);
        check(Rollover::ToZero, 65_535, 131_072, 131_071);
        check(Rollover::ToOne, 1, 65_535, 65_536);
        check(Rollover::ToOne, 65_535, 131_069, 131_070);
        check(Rollover::ToOne, 1, 131_070, 131_071);
    }
}
