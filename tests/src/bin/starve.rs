//! Starves boots in namespaces of its own, and tells whether the observer says why.
#![expect(clippy::print_stdout, reason = "the reports are its result")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum as _};
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use tests::starve::{self, Report, Scenario};

/// Starve boots, cause by cause, and hold what the observer says against what was injected
#[derive(Parser)]
struct Args {
    /// What to inject [default: all, one after the other]
    scenario: Option<Scenario>,
    /// Machines that boot over and over
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    clients: u16,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: usize,
    /// Write all that was seen there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print what changed with the cause
    #[arg(long)]
    explain_injection: bool,
    /// Compare two files that were written
    #[arg(long, num_args = 2, value_names = ["A.json", "B.json"], exclusive = true)]
    compare: Option<Vec<PathBuf>>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some([before, after]) = args.compare.as_deref() {
        print!("{}", starve::compare(&read(before)?, &read(after)?)?);
        return Ok(());
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("handle signals")?;
    }
    let all = Scenario::value_variants();
    let scenarios = args.scenario.as_ref().map_or(all, std::slice::from_ref);
    let mut reports: Vec<Report> = Vec::new();
    for scenario in scenarios.repeat(args.repeat) {
        let machines = args.clients;
        println!(
            "{machines} machines boot, half a minute or more: {}",
            scenario.says()
        );
        let report = starve::play(scenario, machines.into(), &stop)?;
        println!("{}{}", report.latencies(), report.waits());
        if args.explain_injection {
            println!("{}", report.injection());
        }
        // Last, where it is read.
        println!("{report}\n");
        reports.push(report);
    }
    if reports.len() > 1 {
        println!("{}", starve::matrix(&reports));
    }
    if let Some(path) = args.json {
        let all: Vec<Value> = reports.iter().map(Report::json).collect();
        fs::write(&path, Value::from(all).to_string())
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
