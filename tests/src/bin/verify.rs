//! Compares what the observer would say of captures with what tshark says.
#![allow(clippy::print_stdout, reason = "the differences are its result")]

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;
use tests::verify;

#[derive(Parser)]
#[command(about = "Compare what the observer would say of captures with what tshark says")]
struct Args {
    /// pcap files, maybe gzipped; payload may be cut behind requests and options
    #[arg(required = true)]
    captures: Vec<PathBuf>,
    /// UDP port where TFTP requests arrive; may be given more than once
    #[arg(long = "tftp-port", value_name = "N", default_values_t = [69])]
    tftp_ports: Vec<u16>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let mut differ = false;
    for capture in &args.captures {
        let (transfers, differences) = verify::tftp(capture, &args.tftp_ports)
            .with_context(|| capture.display().to_string())?;
        println!(
            "{}: {transfers} TFTP transfers, {} told differently",
            capture.display(),
            differences.len()
        );
        for difference in &differences {
            println!("  {difference}");
        }
        differ |= !differences.is_empty();
    }
    Ok(ExitCode::from(u8::from(differ)))
}
