//! What is said.

use super::Cause;
use crate::model::{classify::Endpoint, ports::Name};

/// A cause of starvation, with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What starves them.
    pub cause: Cause,
    /// The endpoint that saturates, if it is one.
    pub surface: Option<Endpoint>,
    /// One sentence that a person understands.
    pub says: String,
    /// The numbers behind it: name, and value in base units.
    pub evidence: Vec<(&'static str, f64)>,
    /// Where: of another place nothing follows.
    pub(super) place: Place,
    /// How many suffer: of one cause the place with most of them is told.
    pub(super) weight: f64,
}

/// What a cause is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A TCP port.
    Http(Name),
    /// All that is served by TFTP.
    Tftp,
    /// The links, over which all goes.
    Network,
}

impl Finding {
    /// True if this one is there because the other is.
    pub(super) fn follows_from(&self, other: &Self) -> bool {
        let is_there = other.place == self.place || other.place == Place::Network;
        is_there && self.cause.follows_from(other.cause)
    }
}
