//! Which local ports are watched, and what else is known of them.

use aya_ebpf::{macros::map, maps::Array};
use observer_common::{
    notice,
    port::{EARLY, IGNORED, LOCAL, OVERFLOWED, TFTP, WATCHED_WORDS, watched_bit},
};

use super::notices;

#[map]
static WATCHED: Array<u64> = Array::with_max_entries(WATCHED_WORDS, 0);

/// A byte each, no bits: 5.10 has no atomics for them.
#[map]
static PORTS: Array<u8> = Array::with_max_entries(65_536, 0);

/// True if TCP on this port is watched.
#[inline(always)]
pub(crate) fn watched(port: u16) -> bool {
    let (word, bit) = watched_bit(port);
    WATCHED.get(word).is_some_and(|bits| bits & bit != 0)
}

/// True if TFTP requests arrive at this port.
#[inline(always)]
pub(crate) fn takes_tftp(port: u16) -> bool {
    PORTS
        .get(u32::from(port))
        .is_some_and(|flags| flags & TFTP != 0)
}

/// True if data ever came here before its socket.
#[inline(always)]
pub(crate) fn had_early_data(port: u16) -> bool {
    PORTS
        .get(u32::from(port))
        .is_some_and(|flags| flags & EARLY != 0)
}

/// Data came here before its socket.
#[inline(always)]
pub(crate) fn note_early_data(port: u16) {
    if let Some(flags) = PORTS.get_ptr_mut(u32::from(port)) {
        // SAFETY: a live element of our array, to which bits are only ever added.
        unsafe { *flags |= EARLY };
    }
}

/// True if a connection here ever found the table full.
#[inline(always)]
pub(crate) fn overflowed(port: u16) -> bool {
    PORTS
        .get(u32::from(port))
        .is_some_and(|flags| flags & OVERFLOWED != 0)
}

/// A connection here found the table full.
#[inline(always)]
pub(crate) fn note_overflow(port: u16) {
    if let Some(flags) = PORTS.get_ptr_mut(u32::from(port)) {
        // SAFETY: as in `note_early_data`.
        unsafe { *flags |= OVERFLOWED };
    }
}

/// Watches a listener's port from now on, unless the user excluded it.
#[inline(always)]
pub(crate) fn learn(port: u16) -> bool {
    let (word, bit) = watched_bit(port);
    let (Some(flags), Some(bits)) = (PORTS.get(u32::from(port)), WATCHED.get_ptr_mut(word)) else {
        return false;
    };
    if flags & IGNORED != 0 {
        return false;
    }
    // SAFETY: a live element of our array. User space sets a port before we learn any. Of two that
    // are learned at one instant one may be lost, until its listener's next packet.
    unsafe { *bits |= bit };
    notices::tell(notice::LEARNED, port);
    true
}

/// Notes a client on this host; true if it is the port's first.
#[inline(always)]
pub(crate) fn note_local(port: u16) -> bool {
    let Some(flags) = PORTS.get_ptr_mut(u32::from(port)) else {
        return false;
    };
    // SAFETY: as in `note_early_data`; where two CPUs are first, both tell.
    unsafe {
        let first = *flags & LOCAL == 0;
        *flags |= LOCAL;
        first
    }
}
