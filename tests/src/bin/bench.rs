//! Measures what the observer costs.
#![allow(clippy::print_stdout, reason = "the figures are its result")]

use anyhow::Result;
use clap::Parser;
use serde_json::Value;
use tests::bench;

#[derive(Parser)]
#[command(about = "Measure what the observer costs")]
struct Args {
    /// What to measure [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<Name>,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// What the daemon's process takes
    Daemon,
    /// A process of the traffic of others, told what to do on standard input
    #[value(hide = true)]
    Ends,
    /// What servers and clients notice of the observer, of tcpdump and of tshark
    Harm,
    /// Nanoseconds of the programs
    Kernel,
    /// Costs by how much there is, and what is lost past the limits
    Scale,
    /// What clients notice while the daemon comes and goes, stands still, or has full tables
    Trouble,
    /// Nanoseconds of the consumer of events
    User,
    /// What a viewer of much that is in flight costs the daemon
    Viewers,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let all = [
        Name::Kernel,
        Name::User,
        Name::Daemon,
        Name::Viewers,
        Name::Scale,
        Name::Harm,
        Name::Trouble,
    ];
    let names = if args.names.is_empty() {
        all.to_vec()
    } else {
        args.names
    };
    let mut reports = Vec::new();
    for name in names {
        let taken = match name {
            Name::Daemon => vec![bench::daemon::run(args.rounds)?],
            Name::Ends => return bench::ends::serve(),
            Name::Harm => bench::harm::run(args.rounds)?,
            Name::Kernel => vec![bench::kernel::run(args.rounds)?],
            Name::Scale => vec![bench::scale::run(args.rounds)?],
            Name::Trouble => bench::harm::trouble(args.rounds)?,
            Name::User => vec![bench::user::run(args.rounds)?],
            Name::Viewers => vec![bench::viewers::run(args.rounds)?],
        };
        for report in taken {
            if args.json {
                reports.push(report.json());
            } else {
                println!("{}", report.table());
            }
        }
    }
    if args.json {
        println!("{:#}", Value::from(reports));
    }
    Ok(())
}
