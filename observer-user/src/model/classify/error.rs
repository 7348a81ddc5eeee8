//! Why a rules file was refused, and where.

use std::{fmt, ops::Range};

/// A rules file that was refused: nothing of it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesError {
    line: usize,
    column: usize,
    what: String,
}

impl RulesError {
    /// An error at a place in `text`; lines and columns count from 1, columns in characters.
    pub(super) fn new(text: &str, place: Range<usize>, what: impl fmt::Display) -> Self {
        let before = text.get(..place.start).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            what: what.to_string(),
        }
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, what } = self;
        write!(f, "line {line}, column {column}: {what}")
    }
}

impl std::error::Error for RulesError {}
