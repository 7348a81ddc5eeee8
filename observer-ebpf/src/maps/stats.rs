//! What the programs count about themselves, per CPU.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use observer_common::{
    loss::Counter,
    stats::{SLOTS, protocol_slot},
};

#[map]
static STATS: PerCpuArray<u64> = PerCpuArray::with_max_entries(SLOTS, 0);

/// Adds one; true if it was this CPU's first.
#[inline(always)]
pub(crate) fn count(counter: Counter) -> bool {
    add_one(counter.slot())
}

/// A connection shows its protocol.
#[inline(always)]
pub(crate) fn connection(protocol: u32) {
    add_one(protocol_slot(protocol));
}

#[inline(always)]
fn add_one(slot: u32) -> bool {
    let Some(slot) = STATS.get_ptr_mut(slot) else {
        return false;
    };
    // SAFETY: this CPU's element of our array; a program is not interrupted by itself on
    // its CPU, and one lost increment against a nested program is within a counter's error.
    unsafe {
        *slot += 1;
        *slot == 1
    }
}
