//! Traffic to look at.
fn main() {}
