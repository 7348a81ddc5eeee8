//! Why a rules file was refused, and where.

use std::{fmt, ops::Range};

use super::MAX_ENDPOINTS;
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

/// The endpoints before and the new ones, so many together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyEndpoints(pub(super) usize);

impl fmt::Display for TooManyEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count) = self;
        write!(
            f,
            "{count} endpoints, those before included, which keep their series until a restart: \
             {MAX_ENDPOINTS} are the most"
        )
    }
}

impl std::error::Error for TooManyEndpoints {}
