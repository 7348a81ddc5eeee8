//! Instructions that LLVM would not choose, in assembly.

use core::arch::asm;

/// The same value, of which LLVM knows nothing any more.
#[inline(always)]
pub(crate) fn opaque(mut value: u64) -> u64 {
    // SAFETY: changes nothing.
    unsafe { asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack)) };
    value
}

/// Adds to what several CPUs count. The kind that returns the sum, which LLVM may choose, needs
/// 5.12.
///
/// # Safety
///
/// `counter` is a live element of a map.
#[inline(always)]
pub(crate) unsafe fn add(counter: *mut u64, count: u64) {
    // SAFETY: as the caller says.
    unsafe {
        asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) counter, in(reg) count, options(nostack));
    }
}

/// Eight bytes in the CPU's order, which LLVM reads byte by byte where they are not aligned.
///
/// # Safety
///
/// They can be read.
#[inline(always)]
pub(crate) unsafe fn unaligned(from: *const u8) -> u64 {
    let word;
    // SAFETY: as the caller says.
    unsafe { asm!("{0} = *(u64 *)({1} + 0)", out(reg) word, in(reg) from) };
    word
}
