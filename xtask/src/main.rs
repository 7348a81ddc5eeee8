//! `cargo xtask`: what cargo cannot do by itself.
#![allow(
    clippy::print_stdout,
    reason = "standard output carries the results; the commands that ran go to standard error"
)]

mod build;
mod kernels;
mod packages;
mod run;
mod setup;
mod sh;
mod test;
#[path = "../../observer-user/toolchain.rs"]
mod toolchain;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "What cargo cannot do by itself")]
enum Command {
    /// Install what is missing to build both sides
    Setup,
    /// Set up, build, and observe this host until stopped
    Run {
        /// What `pxe-observer run` gets
        #[arg(last = true, value_name = "ARG")]
        args: Vec<String>,
    },
    /// Set up, build, and show real traffic in a namespace of its own until stopped
    Demo,
    /// Set up and run all tests
    Test,
    /// Compare what the observer would say of captures with what tshark says
    Verify {
        /// pcap files, with `--http-port N` and `--tftp-port N` for other ports than 80 and 69
        #[arg(required = true, allow_hyphen_values = true, value_name = "PCAP")]
        args: Vec<String>,
    },
    /// Measure what the observer costs, as root
    Bench {
        /// What to measure, and `--rounds N`, `--json`
        #[arg(allow_hyphen_values = true, value_name = "ARG")]
        args: Vec<String>,
    },
    /// Starve boots in namespaces of their own, and see whether the observer says why, as root
    Starve {
        /// What to inject (`control`, `converter`, ...; all without a name), and `--clients N`,
        /// `--repeat N`, `--json FILE`, `--explain-injection`, `--compare A.json B.json`
        #[arg(allow_hyphen_values = true, value_name = "ARG")]
        args: Vec<String>,
    },
    /// Take the picture of `top` in docs anew, of boots that starve, as root
    Screenshot,
    /// Run a static program as root on other kernels, each in a virtual machine
    Kernels(kernels::Args),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Setup => setup::run(),
        Command::Run { args } => run::run(&args),
        Command::Demo => run::demo(),
        Command::Test => test::run(),
        Command::Verify { args } => run::verify(&args),
        Command::Bench { args } => run::bench(&args),
        Command::Starve { args } => run::starve(&args),
        Command::Screenshot => run::screenshot(),
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
