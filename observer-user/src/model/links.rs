//! The interfaces that carry boot traffic: which addresses lead to them, and what they counted in
//! all, though each counts for itself, anew where it is made anew.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::Ipv6Addr,
};

use super::{fact::Fact, tftp};

/// Interfaces that have series of their own.
pub const NAMED: usize = 8;
/// Local addresses that are remembered: a host has few, but where a whole prefix is local a client
/// may choose them.
const LOCAL: usize = 64;
/// TFTP clients that are asked for at one time: those of a rack boot over one interface.
const CLIENTS: usize = 16;
/// Interfaces whose counters are remembered while they are out of reach, or lead nowhere: those that
/// are missing for longest are forgotten.
const REMEMBERED: usize = 256;

/// What leads to interfaces; IPv4 as `::ffff:a.b.c.d`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Local addresses at which HTTP requests arrived.
    pub local: BTreeSet<Ipv6Addr>,
    /// TFTP clients: where a request arrived is not known of those.
    pub clients: BTreeSet<Ipv6Addr>,
}

/// An interface, as it was read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its network namespace's number.
    pub namespace: u64,
    /// Its own number there.
    pub index: u32,
    /// Its name there.
    pub name: String,
    /// What it counted.
    pub counted: Counted,
    /// Bytes a second each way, if it has a speed and that is known.
    pub speed: Option<u64>,
}

/// What an interface counts (`struct rtnl_link_stats64`), since it was made or its driver loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Bytes with their link layer headers.
    pub received: u64,
    /// The same.
    pub sent: u64,
    /// Packets that arrived and were dropped: `rx_dropped` and `rx_missed_errors`.
    pub received_drops: u64,
    /// Packets that its driver dropped: `tx_dropped`.
    pub sent_drops: u64,
    /// Its queue, if that counts.
    pub queue: Option<Queue>,
}

/// The root of an interface's queueing discipline, which counts for those beneath it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Another one has another.
    pub handle: u32,
    /// Packets that found no room, or waited too long. It wraps.
    pub drops: u32,
    /// Bytes that wait for the device, or its shaper, to take them; 0 where they wait for their time
    /// (`fq`).
    pub backlog: u32,
}

/// All that was counted under one name. Interfaces of different namespaces may share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Packets received and dropped.
    pub received_drops: u64,
    /// Packets dropped on their way out.
    pub sent_drops: u64,
    /// Bytes a second each way, as of the last sample; `None` if that is not known of each.
    pub speed: Option<u64>,
    /// Bytes that waited to be sent, as of the last sample.
    pub backlog: u64,
}

/// What the last sample said, and what all of them did.
#[derive(Debug, Default)]
pub struct Links {
    local: BTreeSet<Ipv6Addr>,
    clients: VecDeque<Ipv6Addr>,
    seen: HashMap<(u64, u32), Seen>,
    totals: BTreeMap<String, Total>,
    refused: BTreeSet<String>,
    left_out: u64,
}

/// What was counted of an interface.
#[derive(Debug)]
struct Seen {
    counted: Counted,
    /// Samples without it.
    missing: u32,
}

impl Links {
    /// A request arrived at its tuple's server.
    pub fn on_fact(&mut self, fact: &Fact) {
        if let Fact::Begun { asked, .. } = fact
            && self.local.len() < LOCAL
        {
            self.local.insert(asked.tuple.server.into());
        }
    }

    /// A TFTP client asked.
    pub fn on_transfer(&mut self, fact: &tftp::Fact) {
        let tftp::Fact::Begun { asked } = fact else {
            return;
        };
        let client = asked.peer.address.into();
        if self.clients.contains(&client) {
            return;
        }
        if self.clients.len() == CLIENTS {
            self.clients.pop_front();
        }
        self.clients.push_back(client);
    }

    /// What is to be asked next.
    pub fn wanted(&self) -> Ends {
        Ends {
            local: self.local.clone(),
            clients: self.clients.iter().copied().collect(),
        }
    }

    /// Takes an answer: each interface once.
    pub fn on_sample(&mut self, interfaces: &[Interface]) {
        for seen in self.seen.values_mut() {
            seen.missing += 1;
        }
        self.refused
            .retain(|name| interfaces.iter().any(|one| one.name == *name));
        for interface in interfaces {
            self.count(interface);
        }
        self.forget();
        for (name, total) in &mut self.totals {
            let named = || interfaces.iter().filter(|one| one.name == *name);
            total.speed = sum(named().map(|one| one.speed));
            let queues = named().filter_map(|one| one.counted.queue);
            total.backlog = queues.map(|queue| u64::from(queue.backlog)).sum();
        }
    }

    /// What was counted, by name.
    pub fn totals(&self) -> impl Iterator<Item = (&str, &Total)> {
        self.totals
            .iter()
            .map(|(name, total)| (name.as_str(), total))
    }

    /// Interfaces that have no series, since there are enough.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    fn forget(&mut self) {
        while self.seen.len() > REMEMBERED {
            let longest = self.seen.iter().max_by_key(|(_, seen)| seen.missing);
            if let Some((key, _)) = longest.map(|(key, seen)| (*key, seen.missing)) {
                self.seen.remove(&key);
            }
        }
    }

    fn count(&mut self, interface: &Interface) {
        let name = &interface.name;
        if !self.totals.contains_key(name) && self.totals.len() >= NAMED {
            self.left_out += u64::from(self.refused.insert(name.clone()));
            return;
        }
        let key = (interface.namespace, interface.index);
        // What it counted before it was seen counts as well.
        let before = self.seen.get(&key);
        let before = before.map_or_else(Counted::default, |seen| seen.counted);
        let now = Counted {
            // A list that was made while another device went may lack it.
            queue: interface.counted.queue.or(before.queue),
            ..interface.counted
        };
        let seen = Seen {
            counted: now,
            missing: 0,
        };
        self.seen.insert(key, seen);
        self.totals
            .entry(name.clone())
            .or_default()
            .add(&before, &now);
    }
}

impl Total {
    fn add(&mut self, before: &Counted, now: &Counted) {
        for (total, before, now) in [
            (&mut self.received, before.received, now.received),
            (&mut self.sent, before.sent, now.sent),
            (
                &mut self.received_drops,
                before.received_drops,
                now.received_drops,
            ),
            (&mut self.sent_drops, before.sent_drops, now.sent_drops),
        ] {
            *total += moved(before, now);
        }
        self.sent_drops += now.queue.map_or(0, |queue| queue.dropped(before.queue));
    }
}

impl Queue {
    /// Since it was last read, or since it was made if it is another.
    fn dropped(self, before: Option<Self>) -> u64 {
        let before = before
            .filter(|before| before.handle == self.handle)
            .map_or(0, |before| before.drops);
        let more = self.drops.wrapping_sub(before);
        // It wrapped, or another one has the same handle.
        let is_same = more <= u32::MAX / 2;
        u64::from(if is_same { more } else { self.drops })
    }
}

/// What a counter moved by; one that is smaller than before began anew.
fn moved(before: u64, now: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

/// The sum, if there are any and each is known.
fn sum(mut speeds: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let first = speeds.next()??;
    speeds.try_fold(first, |sum, speed| Some(sum + speed?))
}

#[cfg(test)]
mod tests;
