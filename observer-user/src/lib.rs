//! The observer: decode, track, classify, count, serve.

pub mod model;
pub mod kernel;
