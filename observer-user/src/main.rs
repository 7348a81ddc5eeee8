//! The `pxe-observer` command.

use std::{
    io::{self, BufWriter, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use observer_user::commands::{Streams, classify, rules};

#[derive(Parser)]
#[command(name = "pxe-observer", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Classify(classify::Args),
    Rules(rules::Args),
}

fn main() -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let streams = &mut Streams {
        input: &mut io::stdin().lock(),
        out: &mut out,
        err: &mut io::stderr().lock(),
    };
    let code = match Cli::parse().command {
        Command::Classify(args) => classify::run(args, streams),
        Command::Rules(args) => rules::run(args, streams),
    }?;
    out.flush()?;
    Ok(code)
}
