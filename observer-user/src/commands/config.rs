//! `pxe-observer config`: whether a configuration can be used, and what is in force.

use std::{path::PathBuf, process::ExitCode};

use super::{Ended, Streams};
use crate::{
    cli::{RunArgs, WatchArgs},
    config::{Config, DEFAULT_FILE, Effective},
};

/// Check a configuration file, or show what is in force
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to do with it.
    #[command(subcommand)]
    pub command: Command,
}

/// What `config` does.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Say whether `run` would take a file, and the rules it names; exit 2 if not
    Check {
        /// The file; without it, /etc/pxe-observer/config.toml
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print what `run` would run with, as TOML that --config reads, and where each value is from
    Show(Box<RunArgs>),
}

/// Runs the command.
///
/// # Errors
///
/// Only what could not be written; what cannot be used is said on `err`, with exit status 2.
pub fn run(args: Args, streams: &mut Streams<'_>) -> anyhow::Result<ExitCode> {
    let said = match args.command {
        Command::Check { file } => check(file),
        Command::Show(args) => Effective::read(&args).and_then(|effective| effective.show()),
    };
    let ended = match said {
        Ok(text) => {
            streams.out.write_all(text.as_bytes())?;
            Ended::Done
        }
        Err(error) => streams.refuse(error)?,
    };
    Ok(ended.into())
}

fn check(file: Option<PathBuf>) -> anyhow::Result<String> {
    let effective = Effective::read(&RunArgs {
        watch: WatchArgs {
            config: file,
            ..WatchArgs::default()
        },
        ..RunArgs::default()
    })?;
    let said = effective.file().map_or_else(
        || format!("{DEFAULT_FILE} is not there: the defaults hold\n"),
        |file| format!("{} can be used\n", file.display()),
    );
    Config::of(effective)?;
    Ok(said)
}
