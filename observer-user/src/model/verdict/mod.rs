//! Who starves, and of what.

mod thresholds;

pub use thresholds::Thresholds;
