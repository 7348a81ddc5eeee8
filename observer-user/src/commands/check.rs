//! `pxe-observer check`: what this host allows, row by row, and what to do about what it does not.

mod host;
mod probes;
mod row;

use std::process::ExitCode;

use anyhow::Context as _;

use self::row::{Row, State};
use super::{Ended, Streams};
use crate::{cli::RunArgs, config::Config};

/// Say what this host allows, row by row; exit 1 if it could not observe, 2 if the configuration
/// cannot be used
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print rows as JSON: an array of objects of `what`, `state` (ok, missing, failed), `said`, `fix`
    #[arg(long)]
    pub json: bool,
    /// What `run` would be given.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Runs the command.
///
/// # Errors
///
/// Only what could not be written; what cannot be used is said on `err`, with exit status 2.
pub fn run(args: Args, streams: &mut Streams<'_>) -> anyhow::Result<ExitCode> {
    let config = match Config::from_args(&args.run) {
        Ok(config) => config,
        Err(error) => return streams.refuse(error).map(ExitCode::from),
    };
    let mut rows = host::rows();
    rows.extend(host::ports(&config));
    rows.extend(probes::rows());
    let text = if args.json {
        serde_json::to_string_pretty(&rows).context("rows as JSON")? + "\n"
    } else {
        rows.iter().map(ToString::to_string).collect()
    };
    streams.out.write_all(text.as_bytes())?;
    let failed = rows.iter().any(|row| row.state == State::Failed);
    Ok(if failed { Ended::No } else { Ended::Done }.into())
}
