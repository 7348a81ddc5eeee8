//! The command line, as typed.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use observer_common::limits;
use rustix::param::page_size;

use crate::{
    commands::{ProfileArgs, classify, explain, rules, tail},
    live,
    model::stall::STALLED_AFTER_S,
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
    /// Watch a running observer.
    Top(top::Args),
    /// Say what starves, and how that is known, of a running observer.
    Explain(explain::Args),
    /// Say what ends, as it ends, of a running observer.
    Tail(tail::Args),
    /// Say what requests would be counted as.
    Classify(classify::Args),
    /// Show rules, or test them.
    Rules(rules::Args),
    /// Print docs/metrics.md.
    #[command(hide = true)]
    Docs,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LocalClients {
    /// They count as any other.
    Count,
    /// They are left out.
    Ignore,
}

/// `pxe-observer run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Address to serve /metrics on; may be given more than once. Without it, port 10069 on
    /// every address.
    #[arg(long = "web.listen-address", value_name = "ADDR:PORT")]
    pub listen: Vec<SocketAddr>,
    /// TCP port to watch for HTTP; may be given more than once. Without it, every listening
    /// port that is not bound to loopback only.
    #[arg(long = "http-port", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub http_ports: Vec<u16>,
    /// TCP port never to watch, whatever listens there; may be given more than once.
    #[arg(long = "http-ignore-port", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub ignored_ports: Vec<u16>,
    /// Whether clients on this host itself count: behind a reverse proxy on it a request counts
    /// twice, at the proxy and at the server behind it.
    #[arg(long, value_enum, default_value_t = LocalClients::Count)]
    pub local_clients: LocalClients,
    /// UDP port where TFTP requests arrive; may be given more than once. Without it, 69. Servers
    /// answer from any port.
    #[arg(long = "tftp-port", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub tftp_ports: Vec<u16>,
    /// Seconds after which an answer or a TFTP transfer of which nothing is acknowledged counts as
    /// stalled.
    #[arg(long, value_name = "SECONDS", default_value_t = STALLED_AFTER_S, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub stalled_after: u16,
    /// Connections to watched ports observed at one time; about 250 bytes of kernel memory each.
    #[arg(long, value_name = "N", default_value_t = limits::CONNS, value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::CONNS_MAX)))]
    pub max_connections: u32,
    /// Bytes of the event ring, a power of two: what the kernel side tells between two drains,
    /// 2 to 50 ms apart or when it is half full, must fit.
    #[arg(long, value_name = "N", default_value_t = limits::RING_BYTES, value_parser = ring_bytes)]
    pub ring_bytes: u32,
    /// Where `top`, `explain` and `tail` find this observer, for root and the group pxe-observer.
    /// The default one is left out where it is in use, or cannot be made.
    #[arg(long, value_name = "PATH", default_value = live::DEFAULT)]
    pub live_socket: PathBuf,
    /// Has no live socket: nobody can look at addresses and paths.
    #[arg(long, conflicts_with = "live_socket")]
    pub no_live_socket: bool,
    /// Endpoints to aggregate into.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// How much to log, to standard error.
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
}

/// What the kernel takes as the size of a ring.
fn ring_bytes(text: &str) -> Result<u32, String> {
    let page = page_size();
    let fits = |bytes: &u32| {
        bytes.is_power_of_two() && *bytes as usize >= page && *bytes <= limits::RING_BYTES_MAX
    };
    text.parse().ok().filter(fits).ok_or_else(|| {
        format!(
            "not a power of two from {page} (a page) to {}",
            limits::RING_BYTES_MAX
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_ring_is_a_power_of_two_of_a_page_or_more() {
        let page = u32::try_from(page_size()).expect("small");
        for (bytes, taken) in [
            (page, true),
            (limits::RING_BYTES, true),
            (limits::RING_BYTES_MAX, true),
            (page / 2, false),
            (page + 1, false),
            (3 * page, false),
            (0, false),
        ] {
            assert_eq!(ring_bytes(&bytes.to_string()).is_ok(), taken, "{bytes}");
        }
        assert!(ring_bytes("8M").is_err());
        assert!(ring_bytes(&(u64::from(limits::RING_BYTES_MAX) * 2).to_string()).is_err());
    }
}
