//! What the programs count about themselves, per CPU.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use observer_common::{
    loss::{Counter, ring_full_slot},
    stats::{SLOTS, protocol_slot},
};

use crate::insn;

#[map]
static STATS: PerCpuArray<u64> = PerCpuArray::with_max_entries(SLOTS, 0);

/// Counts a request that is lost.
#[inline(always)]
pub(crate) fn count(counter: Counter) {
    add_one(counter.slot());
}

/// Counts an event that found the ring full; true if it was this CPU's first of its kind.
#[inline(always)]
pub(crate) fn count_ring_full(kind: u8) -> bool {
    add_one(ring_full_slot(kind)) == 1
}

/// A connection shows its protocol.
#[inline(always)]
pub(crate) fn connection(protocol: u32) {
    add_one(protocol_slot(protocol));
}

/// Returns what the slot then holds.
#[inline(always)]
fn add_one(slot: u32) -> u64 {
    let Some(slot) = STATS.get_ptr_mut(slot) else {
        return 0;
    };
    // SAFETY: this CPU's element of our array. Atomic, since a packet that arrives may interrupt
    // one that is sent.
    unsafe {
        insn::add(slot, 1);
        slot.read_volatile()
    }
}
