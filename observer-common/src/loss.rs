//! Everything the kernel side counts as lost: index = slot of the per-CPU array.
//!
//! A [`Counter`] counts requests, each once; of the events that found the ring full, user space
//! knows by their kinds what became of their requests.

use crate::event::KINDS;

/// Why a request was lost.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// It found the connection table full.
    TableFull = 0,
    /// Early data that found its table full.
    PendingOverflow = 1,
    /// Early data of another connection with the same addresses and ports.
    PendingCollision = 2,
    /// Payload on a connection whose request was not seen.
    JoinedMidway = 3,
    /// It did not wait for the answer before it, and cannot be told apart.
    PipelinedOpaque = 4,
}

impl Counter {
    /// All of them, in slot order.
    pub const ALL: [Self; 5] = [
        Self::TableFull,
        Self::PendingOverflow,
        Self::PendingCollision,
        Self::JoinedMidway,
        Self::PipelinedOpaque,
    ];
    /// How many slots there are.
    pub const COUNT: u32 = 5;

    /// The slot.
    pub const fn slot(self) -> u32 {
        self as u32
    }
}

/// The slot of events of this kind that found the ring full: behind the counters.
pub const fn ring_full_slot(kind: u8) -> u32 {
    Counter::COUNT + kind as u32
}

/// How many slots there are in all.
pub const SLOTS: u32 = ring_full_slot(KINDS);

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
