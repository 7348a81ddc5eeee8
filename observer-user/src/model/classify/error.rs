//! Why a rules file was refused, and where.

use std::{fmt, ops::Range};

use crate::model::place::Place;

/// A rules file that was refused: nothing of it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesError {
    place: Place,
    what: String,
}

impl RulesError {
    /// An error at a place in `text`.
    pub(super) fn new(text: &str, place: Range<usize>, what: impl fmt::Display) -> Self {
        Self {
            place: Place::of(text, place.start),
            what: what.to_string(),
        }
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.place.line
    }

    /// The column, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.place.column
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what } = self;
        write!(f, "{place}: {what}")
    }
}

impl std::error::Error for RulesError {}
