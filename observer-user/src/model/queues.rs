//! The queues of servers' ports, from samples of their sockets: who is up, how many wait, and what
//! was dropped, though sockets come and go.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    fact::Fact,
    ports::{Name, Ports},
    sockets::{Listener, Sample, UdpSocket, Wanted},
};

/// The listening sockets of a port, or of all that are called `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Somebody listens; at each, of several.
    pub up: bool,
    /// Connections that wait to be accepted.
    pub length: u64,
    /// How many may wait.
    pub limit: u64,
    /// One of them has no more room.
    pub full: bool,
}

/// The UDP sockets of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiving {
    /// Somebody is bound to it.
    pub up: bool,
    /// Memory of the datagrams that wait to be read.
    pub bytes: u64,
}

/// What the last sample said, and what all of them did.
#[derive(Debug)]
pub struct Queues {
    ports: Ports,
    /// Whether the port is to be told of before anybody was seen there.
    tftp: BTreeMap<u16, bool>,
    listening: BTreeMap<Name, Listening>,
    receiving: BTreeMap<u16, Receiving>,
    drops: Drops,
    unreachable: usize,
}

impl Queues {
    /// Of these ports, and of those that will serve a request. `tftp` are told of once somebody is
    /// bound there, or at once if they are `pinned`.
    pub fn new(http: &[u16], tftp: &[u16], pinned: bool) -> Self {
        Self {
            ports: Ports::pinned(http),
            tftp: tftp.iter().map(|port| (*port, pinned)).collect(),
            listening: BTreeMap::new(),
            receiving: BTreeMap::new(),
            drops: Drops::default(),
            unreachable: 0,
        }
    }

    /// A request makes its port one to ask for.
    pub fn on_fact(&mut self, fact: &Fact) {
        if let Fact::Begun { asked, .. } = fact {
            self.ports.serve(asked.tuple.server_port);
        }
    }

    /// The ports that have a label, and which.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// What is to be asked next.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            tcp: self.ports.all().map(|(port, _)| port).collect(),
            udp: self.tftp.keys().copied().collect(),
            served: self.ports.served(),
            ..Wanted::default()
        }
    }

    /// Takes an answer. What could not be read is unknown from then on.
    pub fn on_sample(&mut self, sample: &Sample) {
        self.unreachable = sample.unreachable;
        self.listening.clear();
        if let Some(listeners) = &sample.listeners {
            self.listen(&sample.wanted.tcp, listeners);
            self.drops.take(listeners, &self.ports);
        }
        self.receiving.clear();
        if let Some(sockets) = &sample.udp {
            self.receive(&sample.wanted.udp, sockets);
        }
    }

    /// Listening sockets, as far as they are known.
    pub fn listening(&self) -> impl Iterator<Item = (Name, Listening)> {
        self.listening.iter().map(|(name, port)| (*name, *port))
    }

    /// Connections that listening sockets did not take, ever.
    pub fn drops(&self) -> impl Iterator<Item = (Name, u64)> {
        self.drops
            .totals
            .iter()
            .map(|(name, total)| (*name, *total))
    }

    /// UDP sockets, as far as they are known.
    pub fn receiving(&self) -> impl Iterator<Item = (u16, Receiving)> {
        self.receiving.iter().map(|(port, state)| (*port, *state))
    }

    /// Network namespaces whose sockets are not in these numbers.
    pub fn unreachable(&self) -> usize {
        self.unreachable
    }

    fn listen(&mut self, wanted: &BTreeSet<u16>, listeners: &[Listener]) {
        for port in wanted {
            let Some(name) = self.ports.name(*port) else {
                continue;
            };
            let all = self.listening.entry(name).or_insert(Listening {
                up: true,
                length: 0,
                limit: 0,
                full: false,
            });
            let mut here = listeners.iter().filter(|one| one.port == *port).peekable();
            all.up &= here.peek().is_some();
            for listener in here {
                all.length += u64::from(listener.queue);
                all.limit += u64::from(listener.limit);
                all.full |= listener.queue > listener.limit;
            }
        }
    }

    fn receive(&mut self, wanted: &BTreeSet<u16>, sockets: &[UdpSocket]) {
        for port in wanted {
            let here = || sockets.iter().filter(|socket| socket.port == *port);
            let up = here().next().is_some();
            let Some(told) = self.tftp.get_mut(port) else {
                continue;
            };
            *told |= up;
            if *told {
                let bytes = here().map(|socket| u64::from(socket.queue_bytes)).sum();
                self.receiving.insert(*port, Receiving { up, bytes });
            }
        }
    }
}

/// A socket that was in none of so many samples is closed. Before that its namespace may have been
/// out of reach.
const CLOSED: u32 = 120;

/// Drops by port, though each socket counts its own, and is closed some day.
#[derive(Debug, Default)]
struct Drops {
    totals: BTreeMap<Name, u64>,
    counted: HashMap<u64, Counted>,
}

/// What was counted of a socket.
#[derive(Debug)]
struct Counted {
    drops: u32,
    /// Samples without it.
    missing: u32,
}

impl Drops {
    /// Takes all sockets that there are. What a socket dropped before it was seen counts as well.
    fn take(&mut self, listeners: &[Listener], ports: &Ports) {
        self.counted.retain(|_, counted| {
            counted.missing += 1;
            counted.missing <= CLOSED
        });
        for listener in listeners {
            if let Some(name) = ports.name(listener.port) {
                *self.totals.entry(name).or_default() += self.count(listener);
            }
        }
    }

    /// What it has dropped since it was counted last.
    fn count(&mut self, listener: &Listener) -> u64 {
        let now = Counted {
            drops: listener.drops,
            missing: 0,
        };
        let before = self.counted.insert(listener.cookie, now);
        let before = before.map_or(0, |counted| counted.drops);
        listener.drops.wrapping_sub(before).into()
    }
}

#[cfg(test)]
mod tests;
