//! Segments sent again, by watched port.

use aya_ebpf::{macros::map, maps::HashMap};
use observer_common::{limits::RETRANSMIT_PORTS, port::OTHERS};

use crate::insn;

/// Of `OTHERS` user space makes the entry, before it attaches.
#[map]
static RETRANSMITS: HashMap<u16, u64> = HashMap::with_max_entries(RETRANSMIT_PORTS, 0);

/// Create only: another CPU may have been first.
const BPF_NOEXIST: u64 = 1;

/// So many more.
#[inline(always)]
pub(crate) fn count(port: u16, segments: u64) {
    let Some(counter) = RETRANSMITS.get_ptr_mut(port).or_else(|| first(port)) else {
        return;
    };
    // SAFETY: a live element.
    unsafe { insn::add(counter, segments) };
}

/// The counter of a port that has none, or the one for all that find no room.
#[inline(always)]
fn first(port: u16) -> Option<*mut u64> {
    // Whether it is there now, the lookup says.
    let _ = RETRANSMITS.insert(port, 0, BPF_NOEXIST);
    RETRANSMITS
        .get_ptr_mut(port)
        .or_else(|| RETRANSMITS.get_ptr_mut(OTHERS))
}
