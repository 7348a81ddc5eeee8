//! The command line, as typed.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::{
    commands::{ProfileArgs, check, classify, config, explain, rules, tail},
    config::ranges,
    top,
};

/// Sees which boot surface saturates and who is waited for, from the kernel.
#[derive(Debug, Parser)]
#[command(name = "pxe-observer", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Observe, and serve the metrics, until stopped.
    Run(RunArgs),
    /// Watch boots: those that a running observer sees, or else by itself.
    Top(top::Args),
    /// Say what starves, and how that is known, of a running observer.
    Explain(explain::Args),
    /// Say what ends, as it ends, of a running observer.
    Tail(tail::Args),
    /// Say what requests would be counted as.
    Classify(classify::Args),
    /// Show rules, or test them.
    Rules(rules::Args),
    /// Say what this host allows, row by row, and what to do about what it does not.
    Check(check::Args),
    /// Check a configuration file, or show what is in force.
    Config(config::Args),
    /// Print docs/metrics.md.
    #[command(hide = true)]
    Docs,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What stops us.
    Error,
    /// What we do without.
    Warn,
    /// Changes of state.
    Info,
    /// Each step.
    Debug,
}

/// What becomes of requests that arrive over a loopback interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LocalClients {
    /// They count as any other.
    Count,
    /// They are left out.
    Ignore,
}

/// What is watched, and what it is counted as.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchArgs {
    /// Read this configuration first; flags win. Without it, /etc/pxe-observer/config.toml if it
    /// is there.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// TCP port to watch for HTTP; may be given more than once. Without it, every listening
    /// port that is not bound to loopback only.
    #[arg(long = "http-port", value_name = "N", value_parser = clap::value_parser!(u16).range(ranges::PORT))]
    pub http_ports: Vec<u16>,
    /// TCP port never to watch, whatever listens there; may be given more than once.
    #[arg(long = "http-ignore-port", value_name = "N", value_parser = clap::value_parser!(u16).range(ranges::PORT))]
    pub ignored_ports: Vec<u16>,
    /// Whether clients on this host itself count: behind a reverse proxy on it a request counts
    /// twice, at the proxy and at the server behind it. [default: count]
    #[arg(long, value_enum)]
    pub local_clients: Option<LocalClients>,
    /// UDP port where TFTP requests arrive; may be given more than once. Without it, 69. Servers
    /// answer from any port.
    #[arg(long = "tftp-port", value_name = "N", value_parser = clap::value_parser!(u16).range(ranges::PORT))]
    pub tftp_ports: Vec<u16>,
    /// Seconds after which an answer or a TFTP transfer of which nothing is acknowledged counts as
    /// stalled. [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(ranges::STALLED_AFTER))]
    pub stalled_after: Option<u16>,
    /// Connections to watched ports observed at one time; about 250 bytes of kernel memory each.
    /// [default: 65536]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(ranges::CONNECTIONS))]
    pub max_connections: Option<u32>,
    /// Bytes of the event ring, a power of two: what the kernel side tells between two drains,
    /// 2 to 50 ms apart or when it is half full, must fit. [default: 8388608]
    #[arg(long, value_name = "N", value_parser = ring_bytes)]
    pub ring_bytes: Option<u32>,
    /// Endpoints to aggregate into.
    #[command(flatten)]
    pub profile: ProfileArgs,
}

/// `pxe-observer run`.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// What is watched.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Address to serve /metrics on; may be given more than once. Without it, port 10069 on
    /// every address.
    #[arg(long = "web.listen-address", value_name = "ADDR:PORT")]
    pub listen: Vec<SocketAddr>,
    /// Where `top`, `explain` and `tail` find this observer, for root and the group pxe-observer.
    /// The default one is left out where it is in use, or cannot be made. [default:
    /// /run/pxe-observer/live.sock]
    #[arg(long, value_name = "PATH")]
    pub live_socket: Option<PathBuf>,
    /// Has no live socket: nobody can look at addresses and paths.
    #[arg(long, conflicts_with = "live_socket")]
    pub no_live_socket: bool,
    /// How much to log, to standard error. [default: info]
    #[arg(long, value_enum)]
    pub log_level: Option<LogLevel>,
    /// For tests of who watches us: the task that drains stands still after so many seconds.
    #[arg(long, hide = true, value_name = "SECONDS")]
    pub wedge_after: Option<u64>,
}

fn ring_bytes(text: &str) -> Result<u32, String> {
    let bytes = text.parse().map_err(|_| "not a number".to_owned())?;
    ranges::ring_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
