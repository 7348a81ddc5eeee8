//! The commands that print an answer and exit; each takes its streams, so that it can be tested.
//!
//! Exit status: 0 done, 1 the answer is no, 2 what was given cannot be used.

pub mod check;
pub mod classify;
pub mod config;
pub mod docs;
pub mod explain;
mod profile;
pub mod rules;
mod table;
pub mod tail;
pub mod text;

use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
};

pub use profile::{BuiltIn, ProfileArgs};

/// Where a command reads and writes.
pub struct Streams<'a> {
    /// Standard input.
    pub input: &'a mut dyn BufRead,
    /// Results.
    pub out: &'a mut dyn Write,
    /// What is wrong, and summaries for a human.
    pub err: &'a mut dyn Write,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    /// The answer is no.
    No,
    /// What was given cannot be used.
    Unusable,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done => Self::SUCCESS,
            Ended::No => Self::from(1),
            Ended::Unusable => Self::from(2),
        }
    }
}

impl Streams<'_> {
    /// Says what cannot be used. A reader that went away is no fault of what was given.
    fn refuse(&mut self, error: anyhow::Error) -> anyhow::Result<Ended> {
        let mut causes = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<io::Error>());
        if causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe) {
            return Err(error);
        }
        writeln!(self.err, "{error:#}")?;
        Ok(Ended::Unusable)
    }
}
