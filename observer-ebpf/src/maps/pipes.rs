//! Connections whose messages are followed by their framing, by socket cookie.

use aya_ebpf::{macros::map, maps::HashMap};
use observer_common::{limits, pipe::Pipe};

#[map]
static PIPES: HashMap<u64, Pipe> = HashMap::with_max_entries(limits::PIPES, 0);

/// In read-only data: it is too large for the stack.
// SAFETY: zeros are a value of it.
static EMPTY: Pipe = unsafe { core::mem::zeroed() };

/// Create only.
const BPF_NOEXIST: u64 = 1;

/// The state of this connection.
#[inline(always)]
pub(crate) fn get(cookie: u64) -> Option<*mut Pipe> {
    PIPES.get_ptr_mut(cookie)
}

/// The same, new if there is none; `None` if the table is full. User space then sees more
/// request bytes than one request has, and counts what it cannot tell apart.
#[inline(always)]
pub(crate) fn get_or_create(cookie: u64) -> Option<*mut Pipe> {
    if let Some(pipe) = get(cookie) {
        return Some(pipe);
    }
    // The other direction may have been first.
    let _ = PIPES.insert(cookie, &EMPTY, BPF_NOEXIST);
    get(cookie)
}

/// Forgets it.
#[inline(always)]
pub(crate) fn remove(cookie: u64) {
    // Absent is what was wanted.
    let _ = PIPES.remove(cookie);
}
