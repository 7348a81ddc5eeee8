//! What the observer costs, measured so that a difference can be told from noise.
//!
//! Each figure is taken in several rounds, and shown with its range. Where something is compared
//! with and without us, a third row, in which nothing is changed, shows what the machine makes of
//! the same thing: if that is off, the figure is not to be used, and says so.

mod clock;
mod crowd;
pub mod daemon;
mod empty;
pub mod ends;
mod figure;
pub mod harm;
pub mod kernel;
mod paced;
pub mod scale;
mod tftp;
mod traffic;
mod usage;
pub mod user;
pub mod viewers;

pub use figure::{Figure, Report};
