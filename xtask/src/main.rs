//! `cargo xtask`: what cargo cannot do by itself.
#![allow(
    clippy::print_stdout,
    reason = "standard output carries the results; the commands that ran go to standard error"
)]

mod kernels;
mod sh;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "What cargo cannot do by itself")]
enum Command {
    /// Run a static program as root on other kernels, each in a virtual machine
    Kernels(kernels::Args),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Kernels(args) => kernels::run(&args.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
