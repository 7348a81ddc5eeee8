//! The only room that knows aya: loads the programs, attaches them, reads their maps.
//!
//! Invariant: nothing is pinned, and everything attached hangs on a file descriptor of this
//! process, so nothing outlives it however it dies.

mod at_once;
mod btf;
mod cgroup;
mod maps;
mod memory;
mod preflight;
mod probes;
mod refusal;
mod runs;
mod tracefs;
mod version;

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    thread,
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, RingBuf},
    programs::ProgramType,
    sys::{BpfHelper, is_helper_supported},
};
use aya_log::EbpfLogger;
use caps::CapSet;
use observer_common::{
    conn::{Conn, PROTOCOL_OTHER},
    event::{Header, TransferHeader},
    limits::{
        CLOSED_NS, CONNS, EARLY_DATA_NS, IDLE_NS, PENDING, PIPES, RING_BYTES, TRANSFER_OVER_NS,
        TRANSFER_RING_BYTES, TRANSFERS,
    },
    loss::{self, Counter},
    notice, port,
    stats::protocol_slot,
    tftp::{Peer, Transfer},
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::model::table::Table;

pub use self::cgroup::root as root_cgroup;
pub use self::preflight::{check as preflight, grant, missing as missing_capabilities};
use self::{at_once::both, maps::Maps};
pub use self::{
    probes::{Hook, Probe},
    runs::ProbeRuns,
    version::version,
};

/// What is decided before the programs load.
#[derive(Clone, Debug)]
pub struct Settings {
    /// TCP ports watched from the start.
    pub http_ports: Vec<u16>,
    /// UDP ports where TFTP requests arrive.
    pub tftp_ports: Vec<u16>,
    /// TCP ports never watched.
    pub ignored_ports: Vec<u16>,
    /// Whether a listener's first packet makes its port a watched one.
    pub learn_ports: bool,
    /// Whether clients on this host itself are left out.
    pub ignore_local: bool,
    /// Connections observed at one time.
    pub max_connections: u32,
    /// Bytes of the event ring: a power of two, a page or more.
    pub ring_bytes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            http_ports: Vec::new(),
            tftp_ports: Vec::new(),
            ignored_ports: Vec::new(),
            learn_ports: false,
            ignore_local: false,
            max_connections: CONNS,
            ring_bytes: RING_BYTES,
        }
    }
}

/// What the kernel side tells of a port, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A listener's first packet made it a watched one.
    Learned(u16),
    /// A client on this host itself asked there.
    LocalClient(u16),
}

/// From this version on who holds a map's descriptor may read it.
const READ_BY_WHO_HOLDS_THEM: (u32, u32) = (5, 19);

/// The loaded and attached programs.
pub struct Kernel {
    maps: Maps,
    probes: Vec<Probe>,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
    /// Events taken in one drain: no more than the ring holds.
    drain_max: usize,
    /// Holds the links: dropped, everything is detached.
    programs: Ebpf,
    max_connections: u32,
}

impl Kernel {
    /// Loads and attaches. A required hook that cannot attach is an error that names it; an
    /// optional one is a [`Probe`] that says why.
    pub fn attach(settings: &Settings) -> Result<Self> {
        Self::try_attach(settings).map_err(refusal::with_fix)
    }

    fn try_attach(settings: &Settings) -> Result<Self> {
        memory::give_back_what_is_freed();
        // Each reads the kernel's types.
        let (types, mut loader) = both(btf::KernelTypes::read, EbpfLoader::new);
        let records = tracefs::tcp_event_layout();
        let learn_ports = u8::from(settings.learn_ports);
        loader.override_global("LEARN_PORTS", &learn_ports, true);
        let ignore_local = u8::from(settings.ignore_local);
        loader.override_global("IGNORE_LOCAL", &ignore_local, true);
        let netns_cookies = u8::from(netns_cookies());
        loader.override_global("NETNS_COOKIES", &netns_cookies, true);
        loader.override_global("RING_BYTES", &settings.ring_bytes, true);
        loader.map_max_entries("EVENTS", settings.ring_bytes);
        loader.map_max_entries("CONNS", settings.max_connections);
        let has_family = u8::from(matches!(records, Ok(tracefs::TcpEvent::WithFamily)));
        loader.override_global("TCP_EVENT_HAS_FAMILY", &has_family, true);
        if let Ok(types) = &types {
            for (name, offset) in types.offsets() {
                loader.override_global(name, offset, true);
            }
        }
        let mut programs = loader.load(OBJECT).context("load the eBPF object")?;
        drop(loader);
        let mut maps = Maps::take(&mut programs)?;
        set_ports(&mut maps, settings)?;
        for port in &settings.tftp_ports {
            maps.count_udp_drops(*port)?;
        }
        maps.count_retransmits()?;
        // Diagnostics are a convenience: without them everything works.
        let logger = EbpfLogger::init(&mut programs)
            .inspect_err(|error| tracing::debug!(%error, "no kernel-side diagnostics"))
            .ok();
        let probes = probes::attach(&mut programs, &cgroup::root()?, types, records)?;
        memory::give_back();
        Ok(Self {
            maps,
            probes,
            logger,
            drain_max: settings.ring_bytes as usize / size_of::<Header>(),
            programs,
            max_connections: settings.max_connections,
        })
    }

    /// Takes the events that are in the ring, oldest first. Bounded, for the ring may fill as
    /// fast as it is drained.
    pub fn drain(&mut self, take: impl FnMut(&[u8])) {
        drain(&mut self.maps.events, self.drain_max, take);
    }

    /// The same of TFTP transfers.
    pub fn drain_transfers(&mut self, take: impl FnMut(&[u8])) {
        const MAX: usize = TRANSFER_RING_BYTES as usize / size_of::<TransferHeader>();
        drain(&mut self.maps.transfer_events, MAX, take);
    }

    /// Takes what was told of ports, oldest first.
    pub fn notices(&mut self) -> Vec<Notice> {
        let known = |notice| match notice::unpack(notice) {
            (notice::LEARNED, port) => Some(Notice::Learned(port)),
            (notice::LOCAL, port) => Some(Notice::LocalClient(port)),
            _ => None,
        };
        self.maps.notices().filter_map(known).collect()
    }

    /// The kernel's entry of a live connection.
    pub fn conn(&self, cookie: u64) -> Option<Conn> {
        self.maps.conn(cookie)
    }

    /// How many entries could not be read though they may be there; each was taken for gone.
    pub fn unread_entries(&self) -> u64 {
        self.maps.unread()
    }

    /// The kernel's entry of a TFTP client.
    pub fn transfer(&self, peer: &Peer) -> Option<Transfer> {
        self.maps.transfer(peer)
    }

    /// Forgets transfers that are silent, except those that are `busy`.
    pub fn sweep_transfers(&mut self, now_ns: u64, busy: impl Fn(&Peer) -> bool) {
        let age = |transfer: &Transfer| {
            let (client, server) = (&transfer.client, &transfer.server);
            let last_ns = client.side.last_ns.max(server.side.last_ns);
            now_ns.saturating_sub(last_ns.max(client.request_ns))
        };
        self.maps
            .sweep_transfers(|peer, transfer| age(transfer) >= TRANSFER_OVER_NS && !busy(peer));
    }

    /// True if this hook is.
    pub fn is_attached(&self, hook: Hook) -> bool {
        let mut probes = self.probes.iter();
        probes.any(|probe| probe.hook == hook && probe.attached.is_ok())
    }

    /// Forgets what nothing more will be heard of: early data that no socket claimed, and
    /// silent connections, except those that are `busy`. For what the end of sockets does not
    /// clear: entries made by a last packet behind it, or all, where that hook is missing.
    pub fn sweep(&mut self, now_ns: u64, busy: impl Fn(u64) -> bool) {
        let age =
            |conn: &Conn| now_ns.saturating_sub(conn.request.last_ns.max(conn.response.last_ns));
        self.maps.sweep_pending(|conn| age(conn) >= EARLY_DATA_NS);
        let ends_are_told = self.is_attached(Hook::Destroy);
        let stale = |cookie, conn: &Conn| {
            // Forgotten, its next byte would be met midway.
            if ends_are_told && conn.protocol >= PROTOCOL_OTHER && !conn.is_closed() {
                return false;
            }
            let limit = if conn.is_closed() { CLOSED_NS } else { IDLE_NS };
            age(conn) >= limit && !busy(cookie)
        };
        for cookie in self.maps.stale_conns(stale) {
            self.maps.forget_conn(cookie);
        }
    }

    /// One of the programs' own counts, over all CPUs.
    pub fn count(&self, counter: Counter) -> u64 {
        self.maps.count(counter.slot())
    }

    /// Datagrams that found no room at a TFTP port, by port, while the hook is attached.
    pub fn udp_drops(&self) -> impl Iterator<Item = (u16, u64)> {
        self.maps.udp_drops()
    }

    /// Segments that servers at watched ports sent again, by port, while the hook is attached; those
    /// of port 0 are of all ports beyond [`RETRANSMIT_PORTS`](observer_common::limits).
    pub fn retransmits(&self) -> impl Iterator<Item = (u16, u64)> {
        self.maps.retransmits()
    }

    /// How many connections began with this protocol (one of `PROTOCOL_*`), over all CPUs.
    pub fn connections(&self, protocol: u32) -> u64 {
        self.maps.count(protocol_slot(protocol))
    }

    /// Events of a kind of the wire that found the ring full.
    pub fn ring_full(&self, kind: u8) -> u64 {
        self.maps.count(loss::ring_full_slot(kind))
    }

    /// True if maps cannot be read without a capability, now or later: before 5.19 that is for the
    /// host to say, at any time (kernel.unprivileged_bpf_disabled).
    pub fn needs_bpf(&self) -> bool {
        if version().is_none_or(|version| version < READ_BY_WHO_HOLDS_THEM) {
            return true;
        }
        let stats = &self.maps.stats;
        let readable = || caps::clear(None, CapSet::Effective).is_ok() && Maps::are_readable(stats);
        // Only that thread is without.
        thread::scope(|scope| !scope.spawn(readable).join().unwrap_or(false))
    }

    /// What is attached, and what is not and why.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// How often each hook's program ran and for how long; nothing unless the kernel counts it.
    pub fn runs(&self) -> Vec<ProbeRuns> {
        runs::read(&self.programs, &self.probes)
    }

    /// The entries and the limit of each table. It takes as long as there are entries: 0.4 µs each.
    pub fn tables(&self) -> [(Table, usize, usize); 4] {
        let limits = [self.max_connections, PENDING, PIPES, TRANSFERS];
        let limits = limits.map(|limit| limit as usize);
        let entries = self.maps.entries(limits);
        let tables = [Table::Conns, Table::Pending, Table::Pipes, Table::Transfers];
        std::array::from_fn(|at| (tables[at], entries[at], limits[at]))
    }

    /// Passes the programs' own diagnostics on to the log.
    pub fn flush_diagnostics(&mut self) {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }

    /// The ring, to be awaited: it wakes its reader only when it is more than half full.
    pub fn ring(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let ring = self.maps.events.as_fd().try_clone_to_owned()?;
        // SAFETY: an owned descriptor is open, and the same, for as long as it lives.
        Ok(unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }?)
    }
}

fn drain(ring: &mut RingBuf<MapData>, max: usize, mut take: impl FnMut(&[u8])) {
    for _ in 0..max {
        let Some(record) = ring.next() else {
            break;
        };
        take(&record);
    }
}

/// Whether the kernel's types can be read, as BTF tracepoints need them.
pub fn types() -> Result<()> {
    btf::KernelTypes::read().map(drop)
}

/// Whether the classic tracepoints can be attached, where there are no types.
pub fn tracepoints() -> Result<()> {
    tracefs::tcp_event_layout().map(drop)
}

/// True if packet programs may ask for a socket's network namespace (6.15).
fn netns_cookies() -> bool {
    is_helper_supported(ProgramType::CgroupSkb, BpfHelper::BPF_FUNC_get_netns_cookie)
        .unwrap_or(false)
}

fn set_ports(maps: &mut Maps, settings: &Settings) -> Result<()> {
    let flagged = |ports: &[u16], flag| {
        ports
            .iter()
            .map(move |port| (*port, flag))
            .collect::<Vec<_>>()
    };
    let mut table = flagged(&settings.tftp_ports, port::TFTP);
    table.extend(flagged(&settings.ignored_ports, port::IGNORED));
    for (number, _) in &table {
        let flags = table
            .iter()
            .filter(|(other, _)| other == number)
            .fold(0, |all, (_, flag)| all | flag);
        maps.set_port(*number, flags)?;
    }
    settings
        .http_ports
        .iter()
        .try_for_each(|port| maps.watch(*port))
}

/// The programs, built by the build script.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/observer-ebpf"));
