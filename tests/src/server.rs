//! What all real servers have in common: a folder, a process that listens, an access log.

use std::{
    fs::{self, File},
    io::ErrorKind,
    net::{Ipv4Addr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::{
    netns::Netns,
    process::{Process, cpu_of_children},
};

/// A running server and its folder: files in `www`, `error.log`, most have an `access.log`.
pub struct Server {
    process: Process,
    folder: TempDir,
}

/// A row of an access log: what the server says it did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// As in the request line.
    pub method: String,
    /// As in the request line.
    pub target: String,
    /// What was sent.
    pub status: u16,
    /// Sent after the head; 0 where the server does not log it.
    pub bytes: u64,
    /// The response was sent to its end, as far as the server knows.
    pub complete: bool,
    /// Seconds from the request's head read to the answer; 0 where the server does not log it.
    pub handled: f64,
}

impl Row {
    /// Reads method, target, status, bytes, a mark of the end and, if there, `handled`.
    pub fn parse(line: &str, complete: impl Fn(&str) -> bool) -> Option<Self> {
        let mut columns = line.split('\t');
        Some(Self {
            method: columns.next()?.to_owned(),
            target: columns.next()?.to_owned(),
            status: columns.next()?.parse().ok()?,
            bytes: match columns.next()? {
                "-" => 0,
                bytes => bytes.parse().ok()?,
            },
            complete: complete(columns.next()?),
            handled: columns.next().map_or(Some(0.0), |one| one.parse().ok())?,
        })
    }
}

/// Files are of 2001: not modified since any later date that is past, which is all that Apache
/// believes.
const OLD: Duration = Duration::from_secs(1_000_000_000);
const LISTENING: Duration = Duration::from_secs(10);

impl Server {
    /// Starts it inside a namespace with what [`folder`] made, and waits until it listens.
    pub fn start(netns: &Netns, port: u16, folder: TempDir, command: &mut Command) -> Result<Self> {
        let log = File::create(folder.path().join("error.log"))?;
        let process = Process::start(
            command
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log),
        )?;
        let server = Self { process, folder };
        server.wait_until_it_listens(netns, port)?;
        Ok(server)
    }

    /// Its first process.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Where the files are that it serves.
    pub fn www(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    /// How long its workers have been on a CPU by now.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of_children(self.process.pid())
    }

    /// Sends its first process a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Ends it by the signal that lets it finish its answers; returns one of its logs.
    pub fn stop(self, signal: Signal, log: &str) -> Result<String> {
        let Self { process, folder } = self;
        process.end(signal)?;
        let log = folder.path().join(log);
        fs::read_to_string(&log).with_context(|| format!("read {}", log.display()))
    }

    /// Holds all processes of its group, or lets them go on. It has to lead one.
    pub fn hold(&self, is_held: bool) -> Result<()> {
        hold(&self.process, is_held)
    }

    fn wait_until_it_listens(&self, netns: &Netns, port: u16) -> Result<()> {
        netns.inside(|| {
            let begun = Instant::now();
            loop {
                match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    Ok(_) => return Ok(()),
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error).context("connect to a server"),
                }
                ensure!(
                    begun.elapsed() < LISTENING,
                    "it does not listen: {}",
                    fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
                );
                // It needs the processor that this would spin on.
                std::thread::sleep(Duration::from_millis(1));
            }
        })?
    }
}

/// Holds all processes of the group that this one leads, or lets them go on.
pub(crate) fn hold(leader: &Process, is_held: bool) -> Result<()> {
    let signal = if is_held { Signal::STOP } else { Signal::CONT };
    kill_process_group(leader.pid(), signal).context("hold a server")
}

/// A folder with `files` (path and size) in `www`. They are holes: the largest takes no disk.
pub fn folder(files: &[(&str, usize)]) -> Result<TempDir> {
    let folder = tempfile::tempdir().context("make a folder for a server")?;
    for (path, size) in files {
        let path = folder.path().join("www").join(path.trim_start_matches('/'));
        let parent = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(parent)?;
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        file.set_len(*size as u64)?;
        file.set_modified(UNIX_EPOCH + OLD)?;
    }
    fs::create_dir_all(folder.path().join("www"))?;
    open_to_workers(folder.path())?;
    Ok(folder)
}

/// Workers are not root.
fn open_to_workers(folder: &Path) -> Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).context("open a server's folder")
}

/// A log's rows, by how one is read.
pub fn rows(log: &str, row: impl Fn(&str) -> Option<Row>) -> Result<Vec<Row>> {
    log.lines()
        .map(|line| row(line).with_context(|| format!("access log: {line}")))
        .collect()
}
