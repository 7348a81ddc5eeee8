//! The `pxe-observer` command.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::Parser as _;
use observer_user::{
    cli::{Cli, Command, LogLevel, RunArgs},
    commands::{Streams, check, classify, config, docs, explain, rules, tail},
    config::Config,
    daemon,
    signals::Signals,
    top,
};
use tokio::runtime;
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// A configuration that cannot be used: trying again does not help.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Run(args) => run(args),
        Command::Top(args) if args.is_once() => {
            log_to_stderr(LogLevel::Warn);
            printing(|streams| top::once(&args, streams))
        }
        // Nothing logs: it would be written over the screen.
        Command::Top(args) => top::run(&args),
        Command::Explain(args) => printing(|streams| explain::run(&args, streams)),
        Command::Tail(args) => printing(|streams| tail::run(&args, streams)),
        Command::Classify(args) => printing(|streams| classify::run(args, streams)),
        Command::Rules(args) => printing(|streams| rules::run(args, streams)),
        Command::Check(args) => printing(|streams| check::run(args, streams)),
        Command::Config(args) => printing(|streams| config::run(args, streams)),
        Command::Docs => printing(docs::run),
    };
    ended.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::FAILURE
    })
}

fn run(args: RunArgs) -> Result<ExitCode> {
    // It has no thread but this one, which is to be confined.
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime")?;
    let mut signals = runtime.block_on(async { Signals::handle() })?;
    let config = match Config::from_args(&args) {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        }
    };
    log_to_stderr(config.log_level);
    let prepared = runtime.block_on(daemon::prepare(&config, &mut signals.stop))?;
    let Some(prepared) = prepared else {
        return Ok(ExitCode::SUCCESS);
    };
    let ended = runtime.block_on(daemon::run(args, config, prepared, signals));
    // Who reads procfs at length, or does not come back, is not waited for.
    runtime.shutdown_background();
    ended.map(|()| ExitCode::SUCCESS)
}

fn printing(command: impl FnOnce(&mut Streams<'_>) -> Result<ExitCode>) -> Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut streams = Streams {
        input: &mut io::stdin().lock(),
        out: &mut out,
        err: &mut io::stderr().lock(),
    };
    let code = command(&mut streams)?;
    out.flush().context("write to standard output")?;
    Ok(code)
}

/// To a standard error that may be closed or full: then nobody hears it.
fn complain(error: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "pxe-observer: {error:#}");
}

fn log_to_stderr(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // Libraries tell steps of theirs at these levels.
    let ours = Targets::new()
        .with_target("observer_user", level)
        .with_default(LevelFilter::WARN.min(level));
    let format = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry()
        .with(format.with_filter(ours))
        .init();
}
