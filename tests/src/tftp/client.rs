//! Real TFTP clients.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::netns::Netns;

/// A program that speaks TFTP, and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Client {
    /// Asks for this block size, and for the file's size.
    Curl {
        /// Bytes.
        blksize: u32,
    },
    /// RFC 1350 and nothing else.
    TftpHpa,
    /// The same in netascii: line ends are longer on their way.
    TftpHpaText,
    /// Asks for both.
    Atftp {
        /// Bytes.
        blksize: u32,
        /// Blocks.
        windowsize: u32,
    },
    /// Asks for this block size, and for the file's size.
    Busybox {
        /// Bytes.
        blksize: u32,
    },
}

/// A program that hangs is ended after so many seconds.
const PATIENCE: &str = "30";

impl Client {
    /// Fetches a file; returns how many bytes the program has written, if it says it succeeded.
    pub fn get(self, netns: &Netns, server: SocketAddr, name: &str) -> Result<Option<u64>> {
        let folder = tempfile::tempdir().context("make a folder for a client")?;
        let local = folder.path().join("file");
        let succeeded = run(&mut self.command(netns, server, Way::Get, name, &local))?;
        // Of an empty file curl makes none.
        let len = fs::metadata(&local).map_or(0, |file| file.len());
        Ok(succeeded.then_some(len))
    }

    /// Writes a file to the server; returns whether the program believes that it is there.
    pub fn put(self, netns: &Netns, server: SocketAddr, name: &str, local: &Path) -> Result<bool> {
        run(&mut self.command(netns, server, Way::Put, name, local))
    }

    fn command(
        self,
        netns: &Netns,
        server: SocketAddr,
        way: Way,
        name: &str,
        local: &Path,
    ) -> Command {
        let mut command = netns.command("timeout");
        command.args(["--kill-after=1", PATIENCE]);
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        match self {
            Self::Curl { blksize } => {
                let option = way.either("--output", "--upload-file");
                command.args(["curl", "--silent", "--globoff", "--tftp-blksize"]);
                command.arg(blksize.to_string()).arg(option).arg(local);
                command.arg(format!("tftp://{}:{port}/{name}", in_url(server.ip())));
            }
            Self::TftpHpa | Self::TftpHpaText => {
                let text = self == Self::TftpHpaText;
                let mode = if text { "netascii" } else { "binary" };
                command.args(["tftp", "-m", mode, &host, &port, "-c"]);
                match way {
                    Way::Get => command.args(["get", name]).arg(local),
                    Way::Put => command.arg("put").arg(local).arg(name),
                };
            }
            Self::Atftp {
                blksize,
                windowsize,
            } => {
                command.args(["atftp", "--option", &format!("blksize {blksize}")]);
                command.args(["--option", &format!("windowsize {windowsize}")]);
                command.args([way.either("--get", "--put"), "--remote-file", name]);
                command.arg("--local-file").arg(local).args([host, port]);
            }
            Self::Busybox { blksize } => {
                command.args(["busybox", "tftp", way.either("-g", "-p")]);
                command.args(["-b", &blksize.to_string(), "-r", name, "-l"]);
                command.arg(local).args([host, port]);
            }
        }
        command
    }
}

#[derive(Clone, Copy)]
enum Way {
    Get,
    Put,
}

impl Way {
    fn either<'a>(self, get: &'a str, put: &'a str) -> &'a str {
        match self {
            Self::Get => get,
            Self::Put => put,
        }
    }
}

fn in_url(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Whether it says that it succeeded.
fn run(command: &mut Command) -> Result<bool> {
    let quiet = [Stdio::null(), Stdio::null(), Stdio::null()];
    let [input, output, errors] = quiet;
    let status = command
        .stdin(input)
        .stdout(output)
        .stderr(errors)
        .status()
        .with_context(|| format!("start {command:?}"))?;
    Ok(status.success())
}
