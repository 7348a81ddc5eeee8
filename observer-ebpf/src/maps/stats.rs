//! What the programs count about themselves, per CPU.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use observer_common::loss::Counter;

#[map]
static STATS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::COUNT, 0);

/// Adds one; true if it was this CPU's first.
#[inline(always)]
pub(crate) fn count(counter: Counter) -> bool {
    let Some(slot) = STATS.get_ptr_mut(counter.slot()) else {
        return false;
    };
    // SAFETY: this CPU's element of our array; a program is not interrupted by itself on
    // its CPU, and one lost increment against a nested program is within a counter's error.
    unsafe {
        *slot += 1;
        *slot == 1
    }
}
