//! The pure core: no I/O, no clock, no tokio; time is an argument.
//!
//! Kernel events go in, [facts](fact) come out, and everything else (metrics, live view,
//! verdict) consumes facts.

pub mod classify;
pub mod event;
pub mod fact;
mod first;
pub mod http;
pub mod in_flight;
pub mod journal;
pub mod limiter;
pub mod links;
pub mod loss;
pub mod minute;
pub mod place;
pub mod ports;
pub mod processes;
pub mod protocol;
pub mod queues;
pub mod sockets;
pub mod stall;
pub mod table;
pub mod target;
pub mod tftp;
pub mod totals;
pub mod track;
pub mod unmatched;
pub mod unread;
pub mod verdict;
