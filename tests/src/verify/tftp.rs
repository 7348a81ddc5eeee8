//! TFTP transfers, as the observer would tell of them.

use std::{
    collections::BTreeMap,
    fmt,
    net::{Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use observer_common::tftp::Peer;
use observer_user::model::{
    classify::Classifier,
    tftp::{Event, Fact, Transfers, fact::Asked},
};

use super::{Ports, capture, host::Host};
use crate::tftp::{self, Transfer};

/// The observer looks at what is under way each second.
const LOOK_NS: u64 = 1_000_000_000;
/// Behind the last packet, for what ends by silence.
const SILENCE_NS: u64 = 200_000_000_000;

/// What one transfer came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Who asked.
    client: SocketAddr,
    /// `read` or `write`.
    operation: &'static str,
    /// The label's value.
    outcome: &'static str,
    /// Of the file, each once.
    bytes: u64,
    /// Packets that the server sent again.
    retransmits: u64,
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

impl super::Told for Told {
    fn client(&self) -> SocketAddr {
        self.client
    }
}

/// What tshark tells, in the order of requests.
pub(super) fn truth(capture: &Path, ports: &Ports) -> Result<Vec<Told>> {
    let transfers = tftp::transfers(capture, &ports.tftp).context("tshark")?;
    Ok(transfers.iter().map(dissected).collect())
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

/// What the observer would say, in the order of requests.
pub(super) fn ours(path: &Path, ports: &Ports) -> Result<Vec<Told>> {
    let mut observer = Observer::new(ports);
    capture::read(path, |packet| observer.take(packet))
        .with_context(|| format!("read {}", path.display()))?;
    Ok(observer.finish())
}

struct Observer {
    host: Host,
    transfers: Transfers,
    facts: Vec<Fact>,
    now_ns: u64,
    looked_ns: u64,
}

impl Observer {
    fn new(ports: &Ports) -> Self {
        Self {
            host: Host::new(&[], &ports.tftp),
            transfers: Transfers::new(Arc::new(Classifier::generic())),
            facts: Vec::new(),
            now_ns: 0,
            looked_ns: 0,
        }
    }

    fn take(&mut self, packet: &capture::Packet) {
        if packet.transport != capture::Transport::Udp {
            return;
        }
        let now_ns = self.host.at(packet);
        if self.looked_ns == 0 {
            self.looked_ns = now_ns;
        }
        self.now_ns = now_ns;
        while self.now_ns >= self.looked_ns + LOOK_NS {
            self.look(self.looked_ns + LOOK_NS);
        }
        self.host.take(packet);
        for record in self.host.kernel.transfer_events() {
            if let Some(event) = Event::decode(&record) {
                self.transfers.on_event(&event, &mut self.facts);
            }
        }
    }

    fn look(&mut self, now_ns: u64) {
        self.looked_ns = now_ns;
        for peer in self.transfers.due(now_ns) {
            if let Some(entry) = self.host.kernel.transfer(&peer) {
                self.transfers
                    .on_entry(&peer, &entry, now_ns, &mut self.facts);
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
                    ..
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
                | Fact::Named { .. }
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
    let address = Ipv6Addr::from(asked.peer.address).to_canonical();
    Told {
        client: SocketAddr::new(address, asked.peer.port),
        operation: asked.operation.name(),
        outcome: "in flight",
        bytes: 0,
        retransmits: 0,
    }
}
