//! Who watches: the observer, or what an administrator would run instead.

use std::{
    panic::resume_unwind,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::Result;
use rustix::process::Signal;

use super::capturing::Capturing;
use crate::{netns::Netns, observer::Observer};

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rival {
    Us,
    /// We come and go, again and again.
    Restarts,
    /// We stand still, and the ring fills.
    Stopped,
    /// Our tables have room for one connection.
    Full,
    Tcpdump,
    Tshark,
}

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) http: u16,
    pub(super) tftp: [u16; 2],
}

/// One of them at work.
pub(super) enum Running {
    Us(Observer),
    Restarts(Restarts),
    Stopped(Observer),
    Other(Capturing),
}

impl Rival {
    /// Those that watch all the time.
    pub(super) const WATCHERS: [Self; 3] = [Self::Us, Self::Tcpdump, Self::Tshark];

    /// We, when not all is well.
    pub(super) const TROUBLES: [Self; 3] = [Self::Restarts, Self::Stopped, Self::Full];

    /// As a row's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Us => "with us",
            Self::Restarts => "while we come and go",
            Self::Stopped => "while we stand still",
            Self::Full => "with full tables",
            Self::Tcpdump => "beside tcpdump",
            Self::Tshark => "beside tshark",
        }
    }

    /// What it counts: what it misses when it does not keep up, or what it did.
    pub(super) fn loses(self) -> &'static str {
        match self {
            Self::Us | Self::Stopped | Self::Full => "events lost",
            Self::Restarts => "starts and stops",
            Self::Tcpdump | Self::Tshark => "packets dropped",
        }
    }

    /// Starts it; returns when it watches.
    pub(super) fn start(self, netns: &Netns, ports: Ports) -> Result<Running> {
        let other = match self {
            Self::Us => return observer(ports, &[]).map(Running::Us),
            Self::Full => return observer(ports, &["--max-connections", "1"]).map(Running::Us),
            Self::Stopped => {
                let observer = observer(ports, &[])?;
                observer.signal(Signal::STOP)?;
                return Ok(Running::Stopped(observer));
            }
            Self::Restarts => return Ok(Running::Restarts(Restarts::start(ports))),
            Self::Tcpdump => Capturing::start(tcpdump(netns, ports), "listening on"),
            Self::Tshark => Capturing::start(tshark(netns, ports), "Capture started"),
        };
        other.map(Running::Other)
    }
}

/// The daemon, started as soon as it has stopped.
pub(super) struct Restarts {
    enough: Arc<AtomicBool>,
    cycles: JoinHandle<Result<u32>>,
}

impl Restarts {
    fn start(ports: Ports) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&enough);
        let cycles = thread::spawn(move || {
            let mut cycles = 0;
            while !asked.load(Ordering::Relaxed) {
                observer(ports, &[])?.stop()?;
                cycles += 1;
            }
            Ok(cycles)
        });
        Self { enough, cycles }
    }

    fn stop(self) -> Result<f64> {
        self.enough.store(true, Ordering::Relaxed);
        let cycles = self.cycles.join();
        cycles
            .unwrap_or_else(|panic| resume_unwind(panic))
            .map(f64::from)
    }
}

impl Running {
    /// Ends it; returns what it [counts](Rival::loses).
    pub(super) fn stop(self) -> Result<f64> {
        match self {
            Self::Restarts(restarts) => restarts.stop(),
            Self::Stopped(observer) => {
                observer.signal(Signal::CONT)?;
                lost(observer)
            }
            Self::Us(observer) => lost(observer),
            Self::Other(capturing) => Ok(capturing.stop()? as f64),
        }
    }
}

fn lost(observer: Observer) -> Result<f64> {
    let scrape = observer.scrape()?;
    observer.stop()?;
    Ok(scrape.sum("pxe_observer_events_lost_total", &[]))
}

fn observer(ports: Ports, args: &[&str]) -> Result<Observer> {
    let http = ports.http.to_string();
    let tftp = ports.tftp.map(|port| port.to_string());
    let tftp = tftp.iter().flat_map(|port| ["--tftp-port", port]);
    let ports = ["--http-port", &http].into_iter().chain(tftp);
    let args: Vec<&str> = ports.chain(args.iter().copied()).collect();
    Observer::start(&args)
}

/// Transfers have ports that nobody knows before.
fn filter(ports: Ports) -> String {
    format!("tcp port {} or udp", ports.http)
}

fn tcpdump(netns: &Netns, ports: Ports) -> Command {
    let mut command = netns.command("tcpdump");
    command.args(["-Z", "root", "-i", "lo", "-w", "/dev/null", &filter(ports)]);
    command
}

/// Requests and answers as rows.
fn tshark(netns: &Netns, ports: Ports) -> Command {
    let mut command = netns.command("tshark");
    command.args(["-i", "lo", "-f", &filter(ports), "-Y", "http or tftp"]);
    command.args(["-d", &format!("tcp.port=={},http", ports.http)]);
    for port in ports.tftp {
        command.args(["-d", &format!("udp.port=={port},tftp")]);
    }
    command.args(["-T", "fields"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    command
}

const FIELDS: [&str; 7] = [
    "frame.time_epoch",
    "ip.src",
    "http.request.method",
    "http.request.uri",
    "http.response.code",
    "tftp.opcode",
    "tftp.source_file",
];
