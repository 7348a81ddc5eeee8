//! The configuration, validated: after this nothing is parsed again.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Result, bail};

use crate::{
    cli::{LocalClients, RunArgs},
    model::classify::Classifier,
};

/// What `run` runs with.
pub struct Config {
    /// Where to serve metrics; empty for the default.
    pub listen: Vec<SocketAddr>,
    /// TCP ports to watch; empty to learn them.
    pub http_ports: Vec<u16>,
    /// TCP ports never watched.
    pub ignored_ports: Vec<u16>,
    /// Whether clients on this host count.
    pub local_clients: LocalClients,
    /// UDP ports of TFTP servers.
    pub tftp_ports: Vec<u16>,
    /// Connections observed at one time.
    pub max_connections: u32,
    /// Bytes of the event ring.
    pub ring_bytes: u32,
    /// The active endpoints.
    pub classifier: Arc<Classifier>,
}

impl Config {
    /// Reads what the arguments name and checks all of it.
    pub fn from_args(args: &RunArgs) -> Result<Self> {
        let contradicts = |port: &&u16| args.ignored_ports.contains(*port);
        if let Some(port) = args.http_ports.iter().find(contradicts) {
            bail!(
                "--http-port {port} and --http-ignore-port {port} contradict each other: leave one of them out"
            );
        }
        Ok(Self {
            listen: args.listen.clone(),
            http_ports: args.http_ports.clone(),
            ignored_ports: args.ignored_ports.clone(),
            local_clients: args.local_clients,
            tftp_ports: args.tftp_ports.clone(),
            max_connections: args.max_connections,
            ring_bytes: args.ring_bytes,
            classifier: Arc::new(args.profile.classifier()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn config(arguments: &[&str]) -> Result<Config> {
        let line = ["pxe-observer", "run"].iter().chain(arguments);
        match Cli::try_parse_from(line)?.command {
            Command::Run(args) => Config::from_args(&args),
            Command::Classify(_) | Command::Rules(_) => bail!("not run"),
        }
    }

    #[test]
    fn a_port_is_watched_or_ignored() {
        let both = ["--http-port", "80", "--http-ignore-port", "80"];
        let refused = config(&both).err().expect("refused").to_string();
        assert!(
            refused.contains("--http-port 80 and --http-ignore-port 80"),
            "{refused}"
        );
        let apart = ["--http-port", "80", "--http-ignore-port", "81"];
        assert_eq!(config(&apart).expect("taken").ignored_ports, [81]);
    }
}
