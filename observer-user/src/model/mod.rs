//! The pure core: no I/O, no clock, no tokio; time is an argument.

pub mod classify;
