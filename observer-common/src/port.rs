//! The port tables: a bit for each that is watched, and a byte for what else is known of it. Set
//! by user space, and by the kernel when it learns.

/// Words of the bitmap of TCP ports that are watched for HTTP. It is small, for each packet of the
/// host looks there.
pub const WATCHED_WORDS: u32 = 65_536 / 64;

/// Where a port's bit is: the word and the bit.
#[inline(always)]
pub const fn watched_bit(port: u16) -> (u32, u64) {
    (port as u32 / 64, 1 << (port % 64))
}

/// UDP on this port is watched for TFTP.
pub const TFTP: u8 = 2;
/// Never learned: our own scrape port, or one the user excluded.
pub const IGNORED: u8 = 4;
/// Data came here before its socket, so early data is looked for: set by the kernel side.
pub const EARLY: u8 = 8;
/// A client on this host asked here, and that was told: set by the kernel side.
pub const LOCAL: u8 = 16;
/// A connection here found the table full: set by the kernel side.
pub const OVERFLOWED: u8 = 32;

/// In the table of retransmits: all ports that found no room in it. No socket has this one.
pub const OTHERS: u16 = 0;
