//! The `pxe-observer` command.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use observer_user::{
    cli::{Cli, Command, LogLevel, RunArgs},
    config::Config,
    daemon,
};
use tracing_subscriber::filter::LevelFilter;

/// A configuration that cannot be used: trying again does not help.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run(&args),
    }
}

fn run(args: &RunArgs) -> ExitCode {
    log_to_stderr(args.log_level);
    let config = match Config::from_args(args) {
        Ok(config) => config,
        Err(error) => return fail(&error, ExitCode::from(BAD_CONFIGURATION)),
    };
    match observe(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

/// Two threads: one may encode a scrape while the other drains the ring.
fn observe(config: Config) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(daemon::run(config))
}

fn fail(error: &anyhow::Error, code: ExitCode) -> ExitCode {
    eprintln!("pxe-observer: {error:#}");
    code
}

fn log_to_stderr(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(colours).init();
}
