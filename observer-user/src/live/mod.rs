//! The only room that knows the live socket: what `top`, `explain` and `tail` look at.
//!
//! It shows addresses and paths, which metrics never do: the socket is for root and the group
//! `pxe-observer` only. Invariant: whatever a viewer does or leaves out, the observer waits for
//! none.

pub mod client;
pub mod frame;
pub mod message;
mod place;
mod server;

pub use self::{
    place::{DEFAULT, Place},
    server::{Answer, Ask, Door, Question, VIEWERS, Viewers, serve},
};
