//! The observer: decode, track, classify, count, serve.

pub mod commands;
pub mod model;
