//! Dropped datagrams by port: user space makes an entry for each port, before it attaches.

use aya_ebpf::{macros::map, maps::HashMap};
use observer_common::limits::TFTP_PORTS;

use crate::insn;

#[map]
static UDP_DROPS: HashMap<u16, u64> = HashMap::with_max_entries(TFTP_PORTS, 0);

/// One more.
#[inline(always)]
pub(crate) fn count(port: u16) {
    let Some(drops) = UDP_DROPS.get_ptr_mut(port) else {
        return;
    };
    // SAFETY: a live element.
    unsafe { insn::add(drops, 1) };
}
