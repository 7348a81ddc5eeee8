//! Which processes serve where.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    ports::{Name, Ports},
    processes::{PROCESSES, Serves},
};

/// A process that took nothing up for so long serves no more.
const SERVES_NS: u64 = 60_000_000_000;
/// It is remembered for so long, in case that it is held.
const REMEMBERED_NS: u64 = 600_000_000_000;
/// Who serves where.
#[derive(Debug, Default)]
pub(super) struct Pids {
    /// Those that took requests up, and when they were last seen to have one.
    taken: BTreeMap<Name, BTreeMap<u32, u64>>,
    owners: BTreeMap<Name, BTreeSet<u32>>,
    tftp: BTreeSet<u32>,
    now_ns: u64,
}

impl Pids {
    /// Those that serve an HTTP port now.
    pub(super) fn serving(&self, port: Name) -> impl Iterator<Item = u32> {
        let taken = self.taken.get(&port).into_iter().flatten();
        let is_recent = |ns: &u64| self.now_ns.saturating_sub(*ns) < SERVES_NS;
        taken.filter_map(move |(pid, ns)| is_recent(ns).then_some(*pid))
    }

    /// Those that would: they served it in the last minutes, or hold its socket.
    pub(super) fn of(&self, port: Name) -> BTreeSet<u32> {
        let taken = self.taken.get(&port).into_iter().flatten();
        let taken: BTreeSet<u32> = taken.map(|(pid, _)| *pid).collect();
        if taken.is_empty() {
            return self.owners.get(&port).cloned().unwrap_or_default();
        }
        taken
    }

    /// Those at TFTP ports.
    pub(super) fn of_tftp(&self) -> &BTreeSet<u32> {
        &self.tftp
    }

    pub(super) fn take_up(&mut self, port: Name, pid: u32) {
        let known: usize = self.taken.values().map(BTreeMap::len).sum();
        let pids = self.taken.entry(port).or_default();
        if known < PROCESSES || pids.contains_key(&pid) {
            pids.insert(pid, self.now_ns);
        }
    }

    pub(super) fn own(&mut self, ports: &Ports, owners: &BTreeMap<Serves, BTreeSet<u32>>) {
        self.owners.clear();
        self.tftp.clear();
        for (serves, pids) in owners {
            match serves {
                Serves::Tcp(port) => {
                    let name = ports.name(*port).unwrap_or(Name::Other);
                    self.owners.entry(name).or_default().extend(pids);
                }
                Serves::Udp(_) => self.tftp.extend(pids),
            }
        }
    }

    /// All that took requests up in the last minutes.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> {
        self.taken.values().flat_map(BTreeMap::keys).copied()
    }

    /// It is now so late.
    pub(super) fn at(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        for pids in self.taken.values_mut() {
            pids.retain(|_, ns| now_ns.saturating_sub(*ns) < REMEMBERED_NS);
        }
    }
}
