//! What is told once a port, beside the event ring.

use aya_ebpf::{macros::map, maps::Queue};
use observer_common::notice;

#[map]
static NOTICES: Queue<u32> = Queue::with_max_entries(notice::WAITING, 0);

/// Tells it. A port whose notice finds the queue full is watched all the same, and not named.
#[inline(always)]
pub(crate) fn tell(what: u16, port: u16) {
    let _ = NOTICES.push(notice::pack(what, port), 0);
}
