//! The real daemon.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::{client, process::Process, scrape::Scrape};

/// Where the daemon's binary is: `PXE_OBSERVER`, or the release build.
pub fn binary() -> PathBuf {
    let built = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/release/pxe-observer"
    );
    let path = env::var_os("PXE_OBSERVER").map_or_else(|| PathBuf::from(built), PathBuf::from);
    assert!(
        path.exists(),
        "{} is not built: run `cargo xtask test`",
        path.display()
    );
    path
}

/// A state that takes longer is never reached.
const REACHED: Duration = Duration::from_secs(10);
/// In a folder of its own, for there may be several observers.
const LIVE_SOCKET: &str = "live.sock";
/// Leaves the processor to those who are to reach it.
const BETWEEN_SCRAPES: Duration = Duration::from_millis(5);

/// A running daemon.
pub struct Observer {
    process: Process,
    log: JoinHandle<String>,
    address: SocketAddr,
    /// Where its live socket is, if it was started with one of its own.
    folder: Option<TempDir>,
}

impl Observer {
    /// Starts it with these arguments on a free port, and waits until it observes.
    pub fn start(args: &[&str]) -> Result<Self> {
        let folder = TempDir::new().context("a folder for the live socket")?;
        let mut command = Command::new(binary());
        command
            .args(["run", "--web.listen-address", "127.0.0.1:0"])
            .arg("--live-socket")
            .arg(folder.path().join(LIVE_SOCKET))
            .args(args);
        let folder = Some(folder);
        let started = Self::start_command(&mut command)?;
        Ok(Self { folder, ..started })
    }

    /// Starts a command that ends in the daemon.
    pub fn start_command(command: &mut Command) -> Result<Self> {
        let mut process = Process::start(command.stdin(Stdio::null()).stderr(Stdio::piped()))?;
        let stderr = process.child().stderr.take().context("the daemon's log")?;
        let mut lines = BufReader::new(stderr);
        let mut log = String::new();
        let mut address = None;
        // The line that says what is watched comes when everything is attached.
        while !log.contains("watching HTTP") {
            let from = log.len();
            if lines.read_line(&mut log)? == 0 {
                bail!("the daemon ended: {log}");
            }
            let after = |mark| {
                log.get(from..)?
                    .split_once(mark)
                    .map(|(_, after): (_, &str)| after)
            };
            if let Some(url) = after("metrics at http://") {
                let host = url.split('/').next().unwrap_or_default();
                address = Some(host.parse().with_context(|| format!("address {host}"))?);
            }
        }
        let log = std::thread::spawn(move || {
            // What cannot be read is not said.
            let _ = lines.read_to_string(&mut log);
            log
        });
        Ok(Self {
            process,
            log,
            address: address.context("the daemon did not say its address")?,
            folder: None,
        })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where viewers look.
    pub fn live_socket(&self) -> Result<PathBuf> {
        let folder = self.folder.as_ref().context("a live socket of its own")?;
        Ok(folder.path().join(LIVE_SOCKET))
    }

    /// Scrapes /metrics.
    pub fn scrape(&self) -> Result<Scrape> {
        let answer = client::get(self.address, "/metrics")?;
        Scrape::parse(&answer)
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> Result<usize> {
        let folder = format!("/proc/{}/fd", self.process.pid().as_raw_nonzero());
        let open = std::fs::read_dir(&folder).with_context(|| format!("read {folder}"))?;
        Ok(open.count())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Scrapes until a state is reached that has to be; an error says what was seen last.
    pub fn until(&self, reached: impl Fn(&Scrape) -> bool) -> Result<Scrape> {
        self.until_within(REACHED, BETWEEN_SCRAPES, reached)
    }

    /// The same of a state that is reached within a time, with so much between scrapes.
    pub fn until_within(
        &self,
        time: Duration,
        between: Duration,
        reached: impl Fn(&Scrape) -> bool,
    ) -> Result<Scrape> {
        let begun = Instant::now();
        loop {
            let scrape = self.scrape()?;
            if reached(&scrape) {
                return Ok(scrape);
            }
            if begun.elapsed() > time {
                bail!("never reached; it is {:#?}", scrape.without_zeros());
            }
            std::thread::sleep(between);
        }
    }

    /// Kills it as nothing can be handled.
    pub fn kill(self) -> Result<()> {
        self.process.end(Signal::KILL).map(drop)
    }

    /// Stops it; returns how long that took, how it ended and its log.
    pub fn stop(self) -> Result<(Duration, ExitStatus, String)> {
        let (took, status) = self.process.end(Signal::TERM)?;
        let log = self
            .log
            .join()
            .map_err(|_| anyhow::anyhow!("the log's reader panicked"))?;
        Ok((took, status, log))
    }
}
