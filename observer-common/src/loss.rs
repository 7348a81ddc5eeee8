//! Everything the kernel side counts as lost: index = slot of the per-CPU array.

/// What was lost, and why.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Events that found the ring full.
    RingFull = 0,
    /// Connections that found their table full.
    TableFull = 1,
    /// Early data that found its table full.
    PendingOverflow = 2,
    /// Early data of another connection with the same addresses and ports.
    PendingCollision = 3,
    /// Payload on a connection whose request was not seen.
    JoinedMidway = 4,
}

impl Counter {
    /// All of them, in slot order.
    pub const ALL: [Self; 5] = [
        Self::RingFull,
        Self::TableFull,
        Self::PendingOverflow,
        Self::PendingCollision,
        Self::JoinedMidway,
    ];
    /// How many there are.
    pub const COUNT: u32 = 5;

    /// The slot.
    pub const fn slot(self) -> u32 {
        self as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_their_positions() {
        assert_eq!(Counter::ALL.len(), Counter::COUNT as usize);
        for (position, counter) in (0u32..).zip(Counter::ALL) {
            assert_eq!(counter.slot(), position);
        }
    }
}
