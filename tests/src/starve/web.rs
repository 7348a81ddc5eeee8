//! The HTTP servers that are starved.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};

use super::{Scenario, boot};
use crate::{
    apache::Apache,
    netns::Netns,
    nginx::Nginx,
    python::PYTHON,
    server::{self, Server},
};

pub(super) const PORT: u16 = 18_600;
/// Larger than any crowd.
const LONG: u32 = 4_096;
const SHORT: u32 = 4;
const WORKERS: u32 = 4;

/// One of them, running.
pub(super) enum Web {
    Nginx(Nginx),
    Apache(Apache),
    /// `server.py`, and the file whose presence makes it slow.
    Python(Server, PathBuf),
}

impl Web {
    /// The one that this scenario starves.
    pub(super) fn start(netns: &Netns, scenario: Scenario) -> Result<Self> {
        match scenario {
            Scenario::Converter => python(netns, LONG, false, "/images/", 2.0),
            Scenario::SlowStore => python(netns, LONG, true, "/boot/", 2.0),
            Scenario::SmallBacklog => python(netns, SHORT, true, "", 0.1),
            Scenario::FewWorkers => {
                Apache::start_prefork(netns, PORT, &boot::files(), WORKERS).map(Self::Apache)
            }
            Scenario::SlowDisk => from_disk(netns),
            Scenario::Control
            | Scenario::Stopped
            | Scenario::Down
            | Scenario::Loss
            | Scenario::Link
            | Scenario::SlowClients
            | Scenario::TftpLimit
            | Scenario::TftpLoss
            | Scenario::UdpDrops => Nginx::start(netns, PORT, &boot::files()).map(Self::Nginx),
        }
    }

    /// Its first process.
    pub(super) fn pid(&self) -> Pid {
        match self {
            Self::Nginx(server) => server.pid(),
            Self::Apache(server) => server.pid(),
            Self::Python(server, _) => server.pid(),
        }
    }

    /// The file whose presence makes it slow.
    pub(super) fn slow_file(&self) -> Result<&Path> {
        match self {
            Self::Python(_, file) => Ok(file),
            Self::Nginx(_) | Self::Apache(_) => bail!("a server that is never slow"),
        }
    }

    /// Holds all its processes, or lets them go on.
    pub(super) fn hold(&self, is_held: bool) -> Result<()> {
        match self {
            Self::Nginx(server) => server.hold(is_held),
            Self::Apache(_) | Self::Python(..) => bail!("a server that leads no group"),
        }
    }

    /// Where the files are that it serves.
    pub(super) fn www(&self) -> PathBuf {
        match self {
            Self::Nginx(server) => server.www(),
            Self::Apache(server) => server.www(),
            Self::Python(server, _) => server.www(),
        }
    }

    /// Ends it at once.
    pub(super) fn end(self) -> Result<()> {
        match self {
            Self::Nginx(server) => server.stop().map(drop),
            Self::Apache(server) => server.stop().map(drop),
            Self::Python(server, _) => server.stop(Signal::TERM, "error.log").map(drop),
        }
    }
}

fn python(
    netns: &Netns,
    backlog: u32,
    is_threaded: bool,
    prefix: &str,
    seconds: f64,
) -> Result<Web> {
    let folder = server::folder(&boot::files())?;
    fs::write(folder.path().join("server.py"), include_str!("server.py"))?;
    let slow = folder.path().join("slow");
    let mut command = netns.command(PYTHON);
    command
        .args(["-u", "server.py"])
        .args([PORT.to_string(), backlog.to_string()])
        .arg(u8::from(is_threaded).to_string())
        .args([prefix, &seconds.to_string()]);
    let server = Server::start(netns, PORT, folder, &mut command)?;
    Ok(Web::Python(server, slow))
}

/// nginx with files that are on a disk: others' are holes, which no disk is asked for.
fn from_disk(netns: &Netns) -> Result<Web> {
    let folder = server::folder(&[])?;
    for (path, size) in boot::files() {
        write_to_disk(
            &folder.path().join("www").join(path.trim_start_matches('/')),
            size,
        )?;
    }
    Nginx::start_with(netns, PORT, folder, "sendfile on;").map(Web::Nginx)
}

fn write_to_disk(path: &Path, size: usize) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
    let mut bytes = vec![0; size];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    fs::write(path, bytes)?;
    // What is not written yet could not be dropped from the cache.
    File::open(path)?.sync_all().context("write to the disk")
}
