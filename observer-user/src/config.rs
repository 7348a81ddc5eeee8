//! The configuration, validated: after this nothing is parsed again.
//!
//! Flags win, then the file, then the defaults. The environment says nothing.

mod effective;
mod file;
mod layer;
pub(crate) mod ranges;
mod setting;

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use observer_common::limits::TFTP_PORTS;

use self::setting::{Said, Setting};
pub use self::{effective::Effective, file::DEFAULT_FILE};
use crate::{
    cli::{LocalClients, LogLevel, RunArgs},
    model::{classify::Classifier, verdict::Thresholds},
};

/// Addresses to serve at, at most.
const LISTENERS: usize = 64;
/// The table of thresholds.
const TABLE: &str = "starvation";
/// All that the file may say, as `config show` has it.
const KEYS: [&str; 19] = [
    "web_listen_address",
    "http_port",
    "http_ignore_port",
    "local_clients",
    "tftp_port",
    "stalled_after",
    "max_connections",
    "ring_bytes",
    "live_socket",
    "profile",
    "rules",
    "log_level",
    "starvation.wait_seconds",
    "starvation.handle_seconds",
    "starvation.loss_ratio",
    "starvation.link_ratio",
    "starvation.slow_client_bytes_per_second",
    "starvation.hold_seconds",
    "starvation.clear_seconds",
];

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
    /// From where on somebody is said to starve.
    pub thresholds: Thresholds,
    /// How much is logged.
    pub log_level: LogLevel,
    /// What only a restart changes, by key.
    pub fixed: BTreeMap<&'static str, String>,
}

impl Config {
    /// Reads what the arguments name, and the file, and checks all of it.
    pub fn from_args(args: &RunArgs) -> Result<Self> {
        Self::of(Effective::read(args)?)
    }

    /// Checks what was said.
    pub fn of(said: Effective) -> Result<Self> {
        let checked = check_ports(&said).and_then(|()| check_listeners(&said.listen));
        let checked = checked.and_then(|()| said.endpoints.value.classifier());
        let classifier = match said.file() {
            Some(file) => checked.with_context(|| format!("with {}", file.display()))?,
            None => checked?,
        };
        Ok(Self {
            fixed: said.fixed()?,
            classifier: Arc::new(classifier),
            listen: said.listen.value,
            http_ports: said.http_ports.value,
            ignored_ports: said.ignored_ports.value,
            local_clients: said.local_clients.value,
            tftp_pinned: said.tftp_ports.origin != setting::Origin::Default,
            tftp_ports: said.tftp_ports.value,
            stalled_after_ns: u64::from(said.stalled_after.value) * 1_000_000_000,
            max_connections: said.max_connections.value,
            ring_bytes: said.ring_bytes.value,
            thresholds: said.thresholds,
            log_level: said.log_level.value,
            live_socket: Some(said.live_socket.value).filter(|path| !path.as_os_str().is_empty()),
        })
    }
}

fn check_ports(said: &Effective) -> Result<()> {
    let (watched, ignored) = (&said.http_ports, &said.ignored_ports);
    if let Some(port) = watched
        .value
        .iter()
        .find(|port| ignored.value.contains(port))
    {
        bail!(
            "{} {port} and {} {port} contradict each other: leave one of them out",
            Said(watched.origin, "http_port"),
            Said(ignored.origin, "http_ignore_port")
        );
    }
    if said.tftp_ports.value.len() > TFTP_PORTS as usize {
        bail!(
            "{} is given more than {TFTP_PORTS} times: each has series of its own",
            Said(said.tftp_ports.origin, "tftp_port")
        );
    }
    Ok(())
}

/// Each costs a descriptor for ever, and who names one twice meant something else.
fn check_listeners(listen: &Setting<Vec<SocketAddr>>) -> Result<()> {
    let said = Said(listen.origin, "web_listen_address");
    let listen = &listen.value;
    if listen.len() > LISTENERS {
        bail!(
            "{said} is given {} times: {LISTENERS} are the most",
            listen.len()
        );
    }
    let mut seen = HashSet::new();
    let twice = |address: &&SocketAddr| address.port() != 0 && !seen.insert(**address);
    if let Some(address) = listen.iter().find(twice) {
        bail!("{said} {address} is given twice: leave one of them out");
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
            Command::Check(_)
            | Command::Classify(_)
            | Command::Config(_)
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
