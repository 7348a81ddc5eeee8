//! What the C library keeps of memory that is free.

/// From this size on memory is mapped for its owner alone, and at the end of a heap so much may be
/// free: bytes.
#[cfg(target_env = "gnu")]
const MAPPED: libc::c_int = 128 << 10;

/// Gives it back as it becomes free. Unless it is told, the C library takes the largest piece that was
/// ever freed for the size to keep, which are tens of megabytes once the kernel's types were read: any
/// peak would stay, that of each thread.
pub(super) fn give_back_what_is_freed() {
    #[cfg(target_env = "gnu")]
    // SAFETY: may be called at any time (mallopt(3)).
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
        libc::mallopt(libc::M_TRIM_THRESHOLD, MAPPED);
    }
}

/// Gives back what is free between what is not: the kernel's types took tens of megabytes in small
/// pieces.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: may be called at any time (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
