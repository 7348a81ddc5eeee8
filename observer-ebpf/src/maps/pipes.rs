//! Pipelined connections, by socket cookie.

use core::mem::MaybeUninit;

use aya_ebpf::{macros::map, maps::HashMap};
use observer_common::{limits, pipe::Pipe};

use crate::zeroed::zeroed;

#[map]
static PIPES: HashMap<u64, Pipe> = HashMap::with_max_entries(limits::PIPES, 0);

/// The state of this connection.
#[inline(always)]
pub(crate) fn get(cookie: u64) -> Option<*mut Pipe> {
    PIPES.get_ptr_mut(cookie)
}

/// A new one; `None` if the table is full. User space then sees more request bytes than one
/// request has, and counts what it cannot tell apart.
#[inline(always)]
pub(crate) fn create(cookie: u64) -> Option<*mut Pipe> {
    let mut seed = MaybeUninit::<Pipe>::uninit();
    let seed = zeroed(&mut seed);
    PIPES.insert(cookie, &*seed, 0).ok()?;
    get(cookie)
}

/// Forgets it.
#[inline(always)]
pub(crate) fn remove(cookie: u64) {
    // Absent is what was wanted.
    let _ = PIPES.remove(cookie);
}
