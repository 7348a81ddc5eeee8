//! The configuration, validated: after this nothing is parsed again.

use std::{collections::HashSet, net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Result, bail};

use observer_common::limits::TFTP_PORTS;

use crate::{
    cli::{LocalClients, RunArgs},
    model::classify::Classifier,
};

/// Where TFTP requests arrive (RFC 1350), unless another port is named.
const TFTP_PORT: u16 = 69;
/// Addresses to serve at, at most.
const LISTENERS: usize = 64;

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
    /// Whether the user named them.
    pub tftp_pinned: bool,
    /// Transfers stand still once nothing moved for so long, nanoseconds.
    pub stalled_after_ns: u64,
    /// Connections observed at one time.
    pub max_connections: u32,
    /// Bytes of the event ring.
    pub ring_bytes: u32,
    /// Where viewers look; `None` for nowhere.
    pub live_socket: Option<PathBuf>,
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
        if args.tftp_ports.len() > TFTP_PORTS as usize {
            bail!("--tftp-port is given more than {TFTP_PORTS} times: each has series of its own");
        }
        check_listeners(&args.listen)?;
        Ok(Self {
            listen: args.listen.clone(),
            http_ports: args.http_ports.clone(),
            ignored_ports: args.ignored_ports.clone(),
            local_clients: args.local_clients,
            tftp_ports: if args.tftp_ports.is_empty() {
                vec![TFTP_PORT]
            } else {
                args.tftp_ports.clone()
            },
            tftp_pinned: !args.tftp_ports.is_empty(),
            stalled_after_ns: u64::from(args.stalled_after) * 1_000_000_000,
            max_connections: args.max_connections,
            ring_bytes: args.ring_bytes,
            live_socket: (!args.no_live_socket).then(|| args.live_socket.clone()),
            classifier: Arc::new(args.profile.classifier()?),
        })
    }
}

/// Each costs a descriptor for ever, and who names one twice meant something else.
fn check_listeners(listen: &[SocketAddr]) -> Result<()> {
    if listen.len() > LISTENERS {
        bail!(
            "--web.listen-address is given {} times: {LISTENERS} are the most",
            listen.len()
        );
    }
    let mut seen = HashSet::new();
    let twice = |address: &&SocketAddr| address.port() != 0 && !seen.insert(**address);
    if let Some(address) = listen.iter().find(twice) {
        bail!("--web.listen-address {address} is given twice: leave one of them out");
    }
    Ok(())
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
            Command::Classify(_)
            | Command::Docs
            | Command::Explain(_)
            | Command::Rules(_)
            | Command::Tail(_)
            | Command::Top(_) => bail!("not run"),
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

    #[test]
    fn a_tftp_port_is_pinned_by_who_names_it() {
        for (arguments, ports, pinned) in [
            (vec![], vec![69], false),
            (vec!["--tftp-port", "69"], vec![69], true),
            (
                vec!["--tftp-port", "70", "--tftp-port", "69"],
                vec![70, 69],
                true,
            ),
        ] {
            let config = config(&arguments).expect("taken");
            assert_eq!((config.tftp_ports, config.tftp_pinned), (ports, pinned));
        }
    }

    #[test]
    fn listeners_are_few_and_each_is_named_once() {
        let listen = |addresses: &[String]| {
            let flag = |address: &String| ["--web.listen-address".to_owned(), address.clone()];
            let line: Vec<String> = addresses.iter().flat_map(flag).collect();
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            config(&line).map(|config| config.listen.len())
        };
        let ports = |count: u16| {
            (1..=count)
                .map(|port| format!("127.0.0.1:{port}"))
                .collect()
        };
        let many: Vec<String> = ports(64);
        assert_eq!(listen(&many).expect("taken"), 64);
        let too_many: Vec<String> = ports(65);
        let refused = listen(&too_many).expect_err("refused").to_string();
        assert!(refused.contains("is given 65 times"), "{refused}");
        let twice = ["[::1]:9000".to_owned(), "[::1]:9000".to_owned()];
        let refused = listen(&twice).expect_err("refused").to_string();
        assert!(refused.contains("[::1]:9000 is given twice"), "{refused}");
        let free = ["127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()];
        assert_eq!(listen(&free).expect("two free ports"), 2);
    }
}
