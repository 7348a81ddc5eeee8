//! Live connections to watched ports, by socket cookie.
//!
//! A plain preallocated hash, not LRU: an eviction could not be counted. Entries go when
//! their socket does.

use aya_ebpf::{macros::map, maps::HashMap};
use observer_common::{conn::Conn, limits};

/// User space decides the size as it loads.
#[map]
static CONNS: HashMap<u64, Conn> = HashMap::with_max_entries(limits::CONNS, 0);

/// Create only: another CPU may have been first.
const BPF_NOEXIST: u64 = 1;
/// `-E2BIG`: no free element.
const E2BIG: i32 = -7;

/// The entry of this socket.
#[inline(always)]
pub(crate) fn get(cookie: u64) -> Option<*mut Conn> {
    CONNS.get_ptr_mut(cookie)
}

/// The table has no room: what is lost with it, the caller knows.
pub(crate) struct Full;

/// The entry of this socket, created from `seed` if there is none.
#[inline(always)]
pub(crate) fn create(cookie: u64, seed: &Conn) -> Result<*mut Conn, Full> {
    if CONNS.insert(cookie, seed, BPF_NOEXIST) == Err(E2BIG) {
        return Err(Full);
    }
    get(cookie).ok_or(Full)
}

/// Creates the entry of this socket; false if it has one, or there is no room.
#[inline(always)]
pub(crate) fn add(cookie: u64, seed: &Conn) -> bool {
    CONNS.insert(cookie, seed, BPF_NOEXIST).is_ok()
}

/// Forgets the socket.
#[inline(always)]
pub(crate) fn remove(cookie: u64) {
    // Absent is what was wanted.
    let _ = CONNS.remove(cookie);
}
