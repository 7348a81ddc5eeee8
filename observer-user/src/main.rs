//! The `pxe-observer` command.

fn main() {}
