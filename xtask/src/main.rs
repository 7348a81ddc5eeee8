//! `cargo xtask`: what cargo cannot do by itself.

fn main() {}
