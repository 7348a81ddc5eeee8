//! The observer: decode, track, classify, count, serve.
//!
//! Every effect has one room: only `kernel` knows aya, only `metrics` prometheus-client, only
//! `http` the HTTP server, only `live` the live socket, only `diag` procfs and netlink, only
//! `manager` the service manager, only `confine` seccomp, only `top` ratatui. `model` is pure.
//! `daemon` puts them together.

pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod confine;
pub mod daemon;
pub mod diag;
pub mod errors;
pub mod health;
pub mod http;
pub mod kernel;
pub mod live;
pub mod manager;
pub mod metrics;
pub mod model;
pub mod observer;
pub mod reload;
pub mod signals;
pub mod top;
pub mod watched;
