//! `pxe-observer docs`: the reference of the metrics, for docs/metrics.md.

use std::process::ExitCode;

use super::{Ended, Streams};
use crate::metrics;

/// Runs the command.
///
/// # Errors
///
/// Only what could not be written.
pub fn run(streams: &mut Streams<'_>) -> anyhow::Result<ExitCode> {
    streams.out.write_all(metrics::reference()?.as_bytes())?;
    Ok(Ended::Done.into())
}
