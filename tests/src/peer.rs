//! Our own server on axum and hyper: the binary `peer` of this package.

use anyhow::Result;
use rustix::process::Signal;

use crate::{
    netns::Netns,
    server::{self, Row, Server},
};

/// A running peer.
pub struct Peer(Server);

impl Peer {
    /// Starts the binary inside `netns` on `port`, every address, with `files` (path and size).
    /// Only tests know where cargo has put it: `env!("CARGO_BIN_EXE_peer")`.
    pub fn start(binary: &str, netns: &Netns, port: u16, files: &[(&str, usize)]) -> Result<Self> {
        let folder = server::folder(files)?;
        let mut command = netns.command(binary);
        command.arg(port.to_string()).arg(folder.path());
        Server::start(netns, port, folder, &mut command).map(Self)
    }

    /// Ends it and returns its whole log; what was under way is in it as not complete.
    pub fn stop(self) -> Result<Vec<Row>> {
        let log = self.0.stop(Signal::TERM, "access.log")?;
        server::rows(&log, |line| Row::parse(line, |end| end == "OK"))
    }
}
