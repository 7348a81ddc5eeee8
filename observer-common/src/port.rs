//! The port table: one byte a port, set by user space, and by the kernel when it learns.

/// TCP on this port is watched for HTTP.
pub const HTTP: u8 = 1;
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
