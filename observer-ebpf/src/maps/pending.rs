//! Data that came before its socket.
//!
//! While the handshake ends, or the accept queue is full, packets arrive with the
//! listener's socket and cookie. What they carried waits here, by addresses and ports,
//! until the child socket shows itself.

use aya_ebpf::{macros::map, maps::HashMap};
use observer_common::{
    conn::{Conn, Tuple},
    limits,
    loss::Counter,
};

use super::stats;

#[map]
static PENDING: HashMap<Tuple, Conn> = HashMap::with_max_entries(limits::PENDING, 0);

/// The early data of this connection.
#[inline(always)]
pub(crate) fn get(tuple: &Tuple) -> Option<*mut Conn> {
    PENDING.get_ptr_mut(tuple)
}

/// Starts or starts again; `None` when the table is full.
#[inline(always)]
pub(crate) fn put(seed: &Conn) -> Option<*mut Conn> {
    if PENDING.insert(&seed.tuple, seed, 0).is_err() {
        stats::count(Counter::PendingOverflow);
        return None;
    }
    get(&seed.tuple)
}

/// Forgets the early data.
#[inline(always)]
pub(crate) fn remove(tuple: &Tuple) {
    // Absent is what was wanted.
    let _ = PENDING.remove(tuple);
}
