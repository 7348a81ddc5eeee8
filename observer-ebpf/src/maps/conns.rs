//! Live connections to watched ports, by socket cookie.
//!
//! A plain preallocated hash, not LRU: an eviction could not be counted. Entries go when
//! their socket does.

use aya_ebpf::{macros::map, maps::HashMap};
use observer_common::{conn::Conn, limits};

/// User space decides the size as it loads.
#[map]
static CONNS: HashMap<u64, Conn> = HashMap::with_max_entries(limits::CONNS, 0);

/// Read-only, so that a new entry takes no room on the stack.
// SAFETY: zeros are a value of it.
static EMPTY: Conn = unsafe { core::mem::zeroed() };

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

/// The entry of this socket; where there is none, a new one from `seed`.
#[inline(always)]
pub(crate) fn copy(cookie: u64, seed: &Conn) -> Result<*mut Conn, Full> {
    if CONNS.insert(cookie, seed, BPF_NOEXIST) == Err(E2BIG) {
        return Err(Full);
    }
    get(cookie).ok_or(Full)
}

/// The entry of this socket; where there is none, an empty one that `begin` begins. Until it has a
/// turn, which `begin` does not give it, the other side lets it be.
#[inline(always)]
pub(crate) fn create(cookie: u64, begin: impl FnOnce(&mut Conn)) -> Result<*mut Conn, Full> {
    let created = CONNS.insert(cookie, &EMPTY, BPF_NOEXIST);
    if created == Err(E2BIG) {
        return Err(Full);
    }
    let conn = get(cookie).ok_or(Full)?;
    if created.is_ok() {
        // SAFETY: a live element that nobody else writes to yet.
        begin(unsafe { &mut *conn });
    }
    Ok(conn)
}

/// Creates the entry of this socket; false if it has one, or there is no room.
#[inline(always)]
pub(crate) fn add(cookie: u64, begin: impl FnOnce(&mut Conn)) -> bool {
    if CONNS.insert(cookie, &EMPTY, BPF_NOEXIST).is_err() {
        return false;
    }
    if let Some(conn) = get(cookie) {
        // SAFETY: as in `create`.
        begin(unsafe { &mut *conn });
    }
    true
}

/// Forgets the socket.
#[inline(always)]
pub(crate) fn remove(cookie: u64) {
    // Absent is what was wanted.
    let _ = CONNS.remove(cookie);
}
