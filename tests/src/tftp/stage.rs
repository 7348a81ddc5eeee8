//! Where transfers are played: a namespace for servers, whose datagrams are captured.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;

use super::{
    Transfer,
    transfer::{Operation, Outcome},
    transfers,
};
use crate::{capture::Capture, netns::Netns};

/// dnsmasq knows one port only, and the observer watches a port in all namespaces.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A namespace for servers, and one for clients that are elsewhere. What is on the stage is
/// captured until its end.
pub struct Stage {
    /// Where servers are, and clients over the loopback.
    pub here: Netns,
    /// Where clients are that a link leads to, if one is made.
    pub afar: Netns,
    capture: Capture,
    ports: Vec<u16>,
    _turn: MutexGuard<'static, ()>,
}

/// What somebody who took part knows of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Did {
    /// The name, as it was asked for.
    pub file: String,
    /// Who the file went to.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Outcome,
    /// The file's size, if it went; what was sent of it otherwise.
    pub bytes: u64,
}

impl Stage {
    /// Makes it, and waits until it is captured. Requests will go to these ports. Waits until
    /// no other test of this process is on a stage.
    pub fn new(purpose: &str, ports: &[u16]) -> Result<Self> {
        crate::require_root();
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let here = Netns::new(purpose)?;
        Ok(Self {
            capture: Capture::datagrams(&here)?,
            afar: Netns::new("afar")?,
            here,
            ports: ports.to_vec(),
            _turn: turn,
        })
    }

    /// The transfers so far, as the capture tells them.
    pub fn end(self) -> Result<Vec<Transfer>> {
        let captured = self.capture.end(&self.here)?;
        transfers(&captured.path(), &self.ports)
    }
}

/// A port of the loopback.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl From<&Transfer> for Did {
    fn from(transfer: &Transfer) -> Self {
        Self {
            file: String::from_utf8_lossy(&transfer.file).into_owned(),
            operation: transfer.operation,
            outcome: transfer.outcome,
            bytes: transfer.bytes,
        }
    }
}
