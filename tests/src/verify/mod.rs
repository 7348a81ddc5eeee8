//! The observer's rules beside tshark: the same capture, read twice.
//!
//! Here its packets go through the model of the programs (`model::tftp::replay`, which
//! [`crate::kernel_check`] holds to the real ones) and the tracker; [`crate::tftp`] is the truth.
//! HTTP is not verified yet.

mod capture;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use observer_common::tftp::Peer;
use observer_user::model::{
    classify::Classifier,
    tftp::{
        Fact, Transfers,
        fact::Asked,
        replay::{self, From, Replay},
    },
};

use crate::tftp::{self, Transfer};

/// The observer looks at what is under way each second.
const LOOK_NS: u64 = 1_000_000_000;
/// Behind the last packet, for what ends by silence.
const SILENCE_NS: u64 = 200_000_000_000;

/// What one transfer came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who asked.
    pub client: SocketAddr,
    /// `read` or `write`.
    pub operation: &'static str,
    /// The label's value.
    pub outcome: &'static str,
    /// Of the file, each once.
    pub bytes: u64,
    /// Packets that the server sent again.
    pub retransmits: u64,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            operation,
            outcome,
            bytes,
            retransmits,
        } = self;
        write!(
            f,
            "{client} {operation} {outcome} bytes={bytes} retransmits={retransmits}"
        )
    }
}

/// A transfer of which the two do not say the same.
#[derive(Debug)]
pub struct Difference {
    /// What tshark tells; `None` if it has no such transfer.
    pub truth: Option<Told>,
    /// What the observer would.
    pub ours: Option<Told>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let say = |told: &Option<Told>| told.as_ref().map_or("nothing".to_owned(), Told::to_string);
        write!(f, "tshark: {}; we: {}", say(&self.truth), say(&self.ours))
    }
}

/// How many transfers a capture has, and those that are told differently.
pub fn tftp(capture: &Path, ports: &[u16]) -> Result<(usize, Vec<Difference>)> {
    let truth = tftp::transfers(capture, ports).context("tshark")?;
    let truth: Vec<Told> = truth.iter().map(dissected).collect();
    let ours = ours(capture, ports)?;
    let all = truth.len().max(ours.len());
    let pairs = (0..all).map(|at| (truth.get(at).cloned(), ours.get(at).cloned()));
    let differences = pairs
        .filter(|(truth, ours)| truth != ours)
        .map(|(truth, ours)| Difference { truth, ours })
        .collect();
    Ok((all, differences))
}

fn dissected(transfer: &Transfer) -> Told {
    Told {
        client: transfer.client,
        operation: transfer.operation.as_str(),
        outcome: transfer.outcome.as_str(),
        bytes: transfer.bytes,
        retransmits: transfer.retransmits,
    }
}

/// What the observer would say of the capture, in the order of requests.
fn ours(path: &Path, ports: &[u16]) -> Result<Vec<Told>> {
    let mut observer = Observer::new();
    capture::read(path, |datagram| observer.take(&datagram, ports))
        .with_context(|| format!("read {}", path.display()))?;
    Ok(observer.finish())
}

struct Observer {
    replay: Replay,
    transfers: Transfers,
    clients: BTreeSet<SocketAddr>,
    facts: Vec<Fact>,
    began: Option<Duration>,
    now_ns: u64,
    looked_ns: u64,
}

impl Observer {
    fn new() -> Self {
        Self {
            replay: Replay::default(),
            transfers: Transfers::new(Arc::new(Classifier::generic())),
            clients: BTreeSet::new(),
            facts: Vec::new(),
            began: None,
            now_ns: 0,
            looked_ns: 0,
        }
    }

    fn take(&mut self, datagram: &capture::Datagram, ports: &[u16]) {
        let began = *self.began.get_or_insert(datagram.time);
        let since = datagram.time.saturating_sub(began).as_nanos();
        self.now_ns = u64::try_from(since).unwrap_or(u64::MAX);
        while self.now_ns >= self.looked_ns + LOOK_NS {
            self.look(self.looked_ns + LOOK_NS);
        }
        let asks = ports.contains(&datagram.to.port())
            && matches!(datagram.payload.get(..2), Some([0, 1 | 2]));
        if asks {
            self.clients.insert(datagram.from);
        }
        let (from, client, server) = if self.clients.contains(&datagram.from) {
            (From::Client, datagram.from, datagram.to)
        } else {
            (From::Server, datagram.to, datagram.from)
        };
        let datagram = replay::Datagram {
            from,
            peer: peer(client),
            local_port: server.port(),
            at_ns: self.now_ns,
            len: datagram.len,
            payload: &datagram.payload,
        };
        let (transfers, facts) = (&mut self.transfers, &mut self.facts);
        self.replay.on_datagram(&datagram, ports, |event| {
            transfers.on_event(event, facts);
        });
    }

    fn look(&mut self, now_ns: u64) {
        self.looked_ns = now_ns;
        for peer in self.transfers.due(now_ns) {
            if let Some(entry) = self.replay.transfer(&peer) {
                self.transfers
                    .on_entry(&peer, entry, now_ns, &mut self.facts);
            }
        }
    }

    fn finish(mut self) -> Vec<Told> {
        self.look(self.now_ns);
        self.look(self.now_ns + SILENCE_NS);
        let mut all = BTreeMap::<(u64, Peer), Told>::new();
        for fact in &self.facts {
            match fact {
                Fact::Begun { asked } => {
                    all.insert(key(asked), begun(asked));
                }
                Fact::Moved {
                    asked,
                    sent,
                    received,
                    retransmits,
                } => {
                    if let Some(told) = all.get_mut(&key(asked)) {
                        told.bytes += sent + received;
                        told.retransmits += retransmits;
                    }
                }
                Fact::Ended { asked, outcome, .. } => {
                    if let Some(told) = all.get_mut(&key(asked)) {
                        told.outcome = outcome.name();
                    }
                }
                Fact::Answered { .. }
                | Fact::Agreed { .. }
                | Fact::Failed { .. }
                | Fact::AnsweredLate
                | Fact::Dropped { .. } => {}
            }
        }
        all.into_values().collect()
    }
}

fn key(asked: &Asked) -> (u64, Peer) {
    (asked.begun_ns, asked.peer)
}

fn begun(asked: &Asked) -> Told {
    let address = std::net::Ipv6Addr::from(asked.peer.address).to_canonical();
    Told {
        client: SocketAddr::new(address, asked.peer.port),
        operation: asked.operation.name(),
        outcome: "in flight",
        bytes: 0,
        retransmits: 0,
    }
}

fn peer(client: SocketAddr) -> Peer {
    let address = match client.ip() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    Peer {
        address: address.octets(),
        port: client.port(),
        ..Peer::default()
    }
}
