//! Compares what the observer would say of captures with what tshark says.
#![allow(clippy::print_stdout, reason = "the differences are its result")]

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;
use tests::verify::{Comparison, Ports, verify};

#[derive(Parser)]
#[command(about = "Compare what the observer would say of captures with what tshark says")]
struct Args {
    /// pcap files, maybe gzipped; payload may be cut behind heads and options
    #[arg(required = true)]
    captures: Vec<PathBuf>,
    /// TCP port where HTTP requests arrive; may be given more than once
    #[arg(long = "http-port", value_name = "N", default_values_t = [80])]
    http_ports: Vec<u16>,
    /// UDP port where TFTP requests arrive; may be given more than once
    #[arg(long = "tftp-port", value_name = "N", default_values_t = [69])]
    tftp_ports: Vec<u16>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let ports = Ports {
        http: args.http_ports,
        tftp: args.tftp_ports,
    };
    let mut differ = false;
    for capture in &args.captures {
        let name = capture.display();
        let comparisons = verify(capture, &ports).with_context(|| name.to_string())?;
        for Comparison {
            protocol,
            compared,
            differences,
        } in &comparisons
        {
            let differing = differences.len();
            println!("{name}: {compared} {protocol}, {differing} told differently");
            for difference in differences {
                println!("  {difference}");
            }
            differ |= !differences.is_empty();
        }
    }
    Ok(ExitCode::from(u8::from(differ)))
}
