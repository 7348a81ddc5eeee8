//! What one second showed, of all that is observed.

use std::collections::BTreeMap;

use super::waits::Waits;
use crate::model::{classify::Endpoint, limiter::Limiter, ports::Name, processes::Process};

/// Surfaces that are kept apart: an endpoint at a port.
pub(super) const SURFACES: usize = 512;
/// Processes that are kept apart.
pub(super) const WORKERS: usize = 256;

/// A second.
#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    /// How long it was, in seconds.
    pub(super) length: f64,
    pub(super) surfaces: BTreeMap<(Name, Endpoint), Surface>,
    pub(super) workers: BTreeMap<(Name, u32), Worker>,
    pub(super) ports: BTreeMap<Name, Port>,
    pub(super) processes: BTreeMap<u32, Process>,
    pub(super) links: BTreeMap<String, Link>,
    pub(super) files: BTreeMap<Endpoint, Files>,
    pub(super) tftp_ports: BTreeMap<u16, TftpPort>,
}

/// HTTP of an endpoint at a port.
#[derive(Clone, Debug, Default)]
pub(super) struct Surface {
    /// Those that no process has taken up, and those that one has by now.
    pub(super) waits: Waits,
    /// Those in flight that have waited for too long.
    pub(super) waiting: usize,
    /// Those in flight that are being worked on.
    pub(super) handled: Waits,
    /// Those of them for too long.
    pub(super) handled_long: usize,
    /// Those in flight that are being sent.
    pub(super) sent: usize,
    /// What sending waited for, in seconds, by [`Limiter`].
    pub(super) limited: [f64; Limiter::ALL.len()],
    /// Payload to clients.
    pub(super) bytes: u64,
}

/// A process that takes up requests of a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worker {
    /// Exchanges that it has.
    pub(super) held: u32,
    /// Of which endpoint one of them is.
    pub(super) of: Option<Endpoint>,
}

/// A TCP port's sockets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Port {
    pub(super) down: bool,
    pub(super) length: u64,
    pub(super) limit: u64,
    /// One of its sockets has no room.
    pub(super) full: bool,
    /// Connections turned away.
    pub(super) drops: u64,
    /// Segments sent again.
    pub(super) retransmits: u64,
}

/// An interface.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) sent_drops: u64,
    pub(super) speed: Option<u64>,
    pub(super) backlog: u64,
}

/// TFTP of an endpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    /// Requests that nobody has answered, and those that somebody has by now.
    pub(super) waits: Waits,
    /// Those unanswered for too long.
    pub(super) waiting: usize,
    /// Transfers that were answered and are not over.
    pub(super) running: usize,
    pub(super) blocks: u64,
    pub(super) retransmits: u64,
}

/// A UDP port where TFTP requests arrive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TftpPort {
    pub(super) down: bool,
    /// Requests that found its queue full.
    pub(super) drops: u64,
}

impl Second {
    /// `None` if there are too many.
    pub(super) fn surface(&mut self, port: Name, endpoint: Endpoint) -> Option<&mut Surface> {
        let key = (port, endpoint);
        let has_room = self.surfaces.len() < SURFACES || self.surfaces.contains_key(&key);
        has_room.then(|| self.surfaces.entry(key).or_default())
    }

    /// A process has another exchange, of this endpoint.
    pub(super) fn hold(&mut self, port: Name, pid: u32, endpoint: Endpoint) {
        let key = (port, pid);
        if self.workers.len() >= WORKERS && !self.workers.contains_key(&key) {
            return;
        }
        let worker = self
            .workers
            .entry(key)
            .or_insert(Worker { held: 0, of: None });
        worker.held += 1;
        worker.of = Some(endpoint);
    }
}
