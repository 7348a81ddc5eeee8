//! PXE starvation, made for real: a crowd of machines boots from real servers, one cause of
//! starvation is injected and removed again, and what the observer said is held against it.
//!
//! Everything is in network namespaces of its own; nothing else is ever asked.

mod books;
mod boot;
mod cgroup;
mod clients;
mod compare;
mod facts;
mod heard;
mod inject;
mod matrix;
mod noticed;
mod phase;
mod play;
mod report;
mod sample;
mod scenario;
mod waits;
mod web;
mod world;

pub use compare::compare;
pub use matrix::matrix;
pub use play::play;
pub use report::Report;
pub use scenario::Scenario;
