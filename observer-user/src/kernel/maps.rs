//! The maps of the programs, typed.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, Queue, RingBuf},
};
use observer_common::{
    conn::{Conn, Tuple},
    notice,
    pipe::Pipe,
    port::{OTHERS, watched_bit},
    tftp::{Peer, Transfer},
};

/// A wire type as a map's key or value.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Wire<T>(T);

// SAFETY: a transparent wrapper of plain old data without padding.
unsafe impl<T: bytemuck::Pod> aya::Pod for Wire<T> {}

pub(super) struct Maps {
    pub(super) events: RingBuf<MapData>,
    conns: HashMap<MapData, u64, Wire<Conn>>,
    pipes: HashMap<MapData, u64, Wire<Pipe>>,
    pending: HashMap<MapData, Wire<Tuple>, Wire<Conn>>,
    transfers: HashMap<MapData, Wire<Peer>, Wire<Transfer>>,
    pub(super) transfer_events: RingBuf<MapData>,
    udp_drops: HashMap<MapData, u16, u64>,
    retransmits: HashMap<MapData, u16, u64>,
    ports: Array<MapData, u8>,
    watched: Array<MapData, u64>,
    notices: Queue<MapData, u32>,
    pub(super) stats: PerCpuArray<MapData, u64>,
    unread: AtomicU64,
}

impl Maps {
    pub(super) fn take(programs: &mut Ebpf) -> Result<Self> {
        let mut map = |name: &str| -> Result<Map> {
            programs
                .take_map(name)
                .with_context(|| format!("the eBPF object has no map {name}"))
        };
        Ok(Self {
            events: map("EVENTS")?.try_into().context("map EVENTS")?,
            conns: map("CONNS")?.try_into().context("map CONNS")?,
            pipes: map("PIPES")?.try_into().context("map PIPES")?,
            pending: map("PENDING")?.try_into().context("map PENDING")?,
            transfers: map("TRANSFERS")?.try_into().context("map TRANSFERS")?,
            transfer_events: map("TRANSFER_EVENTS")?
                .try_into()
                .context("map TRANSFER_EVENTS")?,
            udp_drops: map("UDP_DROPS")?.try_into().context("map UDP_DROPS")?,
            retransmits: map("RETRANSMITS")?.try_into().context("map RETRANSMITS")?,
            notices: map("NOTICES")?.try_into().context("map NOTICES")?,
            ports: map("PORTS")?.try_into().context("map PORTS")?,
            watched: map("WATCHED")?.try_into().context("map WATCHED")?,
            stats: map("STATS")?.try_into().context("map STATS")?,
            unread: AtomicU64::new(0),
        })
    }

    pub(super) fn conn(&self, cookie: u64) -> Option<Conn> {
        self.found(self.conns.get(&cookie, 0)).map(|value| value.0)
    }

    /// How many entries could not be read; they are taken for gone.
    pub(super) fn unread(&self) -> u64 {
        self.unread.load(Ordering::Relaxed)
    }

    fn found<T>(&self, read: std::result::Result<T, MapError>) -> Option<T> {
        match read {
            Ok(entry) => Some(entry),
            Err(error) => {
                let is_absent = matches!(error, MapError::KeyNotFound);
                self.unread
                    .fetch_add(u64::from(!is_absent), Ordering::Relaxed);
                None
            }
        }
    }

    /// The entries that are stale.
    pub(super) fn stale_conns(&self, stale: impl Fn(u64, &Conn) -> bool) -> Vec<u64> {
        let entries = self.conns.iter().flatten();
        entries
            .filter(|(cookie, conn)| stale(*cookie, &conn.0))
            .map(|(cookie, _)| cookie)
            .collect()
    }

    pub(super) fn forget_conn(&mut self, cookie: u64) {
        // Absent is what was wanted.
        let _ = self.conns.remove(&cookie);
        let _ = self.pipes.remove(&cookie);
    }

    /// Forgets early data that no socket claimed in time.
    pub(super) fn sweep_pending(&mut self, stale: impl Fn(&Conn) -> bool) {
        let entries: Vec<_> = self
            .pending
            .iter()
            .flatten()
            .filter(|(_, conn)| stale(&conn.0))
            .collect();
        for (tuple, _) in entries {
            // Absent is what was wanted.
            let _ = self.pending.remove(&tuple);
        }
    }

    pub(super) fn transfer(&self, peer: &Peer) -> Option<Transfer> {
        let found = self.found(self.transfers.get(&Wire(*peer), 0));
        found.map(|value| value.0)
    }

    /// Forgets the transfers that are stale.
    pub(super) fn sweep_transfers(&mut self, stale: impl Fn(&Peer, &Transfer) -> bool) {
        let entries = self.transfers.iter().flatten();
        let stale: Vec<_> = entries
            .filter(|(peer, transfer)| stale(&peer.0, &transfer.0))
            .map(|(peer, _)| peer)
            .collect();
        for peer in stale {
            // Absent is what was wanted.
            let _ = self.transfers.remove(&peer);
        }
    }

    /// How many entries connections, early data, pipes and transfers have. While entries go the
    /// kernel may begin anew: no more are counted than there can be.
    pub(super) fn entries(&self, [conns, pending, pipes, transfers]: [usize; 4]) -> [usize; 4] {
        [
            self.conns.keys().take(conns).count(),
            self.pending.keys().take(pending).count(),
            self.pipes.keys().take(pipes).count(),
            self.transfers.keys().take(transfers).count(),
        ]
    }

    /// Sets what is known of a port.
    pub(super) fn set_port(&mut self, port: u16, flags: u8) -> Result<()> {
        self.ports
            .set(u32::from(port), flags, 0)
            .with_context(|| format!("set what is known of port {port}"))
    }

    /// Watches a TCP port, before any is learned.
    pub(super) fn watch(&mut self, port: u16) -> Result<()> {
        let (word, bit) = watched_bit(port);
        let watched = self.watched.get(&word, 0).unwrap_or(0);
        self.watched
            .set(word, watched | bit, 0)
            .with_context(|| format!("watch port {port}"))
    }

    /// Counts what is dropped at this port from now on.
    pub(super) fn count_udp_drops(&mut self, port: u16) -> Result<()> {
        self.udp_drops
            .insert(port, 0, 0)
            .with_context(|| format!("count drops at port {port}"))
    }

    /// What was dropped, by port.
    pub(super) fn udp_drops(&self) -> impl Iterator<Item = (u16, u64)> {
        self.udp_drops.iter().flatten()
    }

    /// Makes the counter of ports for which there is no room.
    pub(super) fn count_retransmits(&mut self) -> Result<()> {
        self.retransmits
            .insert(OTHERS, 0, 0)
            .context("count retransmits")
    }

    /// Segments that were sent again, by port.
    pub(super) fn retransmits(&self) -> impl Iterator<Item = (u16, u64)> {
        self.retransmits.iter().flatten()
    }

    /// Takes what waits; bounded, for more may come meanwhile.
    pub(super) fn notices(&mut self) -> impl Iterator<Item = u32> {
        (0..notice::WAITING).map_while(|_| self.notices.pop(0).ok())
    }

    /// True if this thread may read maps.
    pub(super) fn are_readable(stats: &PerCpuArray<MapData, u64>) -> bool {
        stats.get(&0, 0).is_ok()
    }

    pub(super) fn count(&self, slot: u32) -> u64 {
        self.stats
            .get(&slot, 0)
            .map_or(0, |values| values.iter().sum())
    }
}
