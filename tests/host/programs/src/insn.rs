//! The same as of `observer-ebpf`, without assembly.

pub(crate) fn opaque(value: u64) -> u64 {
    value
}

/// # Safety
///
/// `counter` is a live element of a map.
pub(crate) unsafe fn add(counter: *mut u64, count: u64) {
    // SAFETY: as the caller says; there is one CPU.
    unsafe { *counter += count };
}

/// # Safety
///
/// Eight bytes can be read.
pub(crate) unsafe fn unaligned(from: *const u8) -> u64 {
    // SAFETY: as the caller says.
    unsafe { from.cast::<u64>().read_unaligned() }
}
