//! What the observer says about itself.

use std::{hash::Hash, sync::atomic::AtomicU64, time::Duration};

use foldhash::{HashMap, HashMapExt as _};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};

use super::{
    catalog::{Catalog, Declaration},
    family::Family,
    tally::{Tally, Task},
};
use crate::{
    errors::Failure,
    kernel::{Hook, ProbeRuns},
    model::{event::Kind, loss::Loss, protocol::Protocol, table::Table, unread::Unread},
};

/// Seconds: between drains are 2 to 50 ms.
const DRAIN_BUCKETS: [f64; 8] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1.0];

type Seconds = Counter<f64, AtomicU64>;

/// The observer's families.
pub struct ObserverMetrics {
    events: HashMap<Kind, Counter>,
    lost: HashMap<Loss, Counter>,
    unread: HashMap<Unread, Counter>,
    ring_full: HashMap<Kind, Counter>,
    connections: HashMap<Protocol, Counter>,
    errors: HashMap<Failure, Counter>,
    skipped: HashMap<Task, Counter>,
    entries: HashMap<Table, Gauge>,
    limits: HashMap<Table, Gauge>,
    drain: Histogram,
    last_drain: Gauge<f64, AtomicU64>,
    reload_successful: Gauge,
    last_reload: Gauge<f64, AtomicU64>,
    viewers: Gauge,
    frames_missed: Counter,
    probes: Family<Gauge, 1>,
    probe_runs: Family<Counter, 1>,
    probe_seconds: Family<Seconds, 1>,
    /// What was counted of a reason that the kernel side counts by itself.
    kernel_lost: HashMap<Loss, u64>,
}

impl ObserverMetrics {
    /// Declares the families; every kind and reason exists from now on.
    pub(super) fn declare(catalog: &mut Catalog) -> Self {
        let catalog = catalog.with_prefix("pxe_observer_");
        let build = catalog.gauge(by("version", 1, "build_info", "1; the version is a label"));
        build.with([env!("CARGO_PKG_VERSION")]).set(1);
        let events = catalog.counter(by(
            "kind",
            Kind::ALL.len(),
            "events",
            "Kernel events taken from the ring",
        ));
        let ring_full = catalog.counter(by(
            "kind",
            Kind::ALL.len(),
            "ring_full",
            "Kernel events that found the ring full; what became of their requests is in \
             events_lost (ring_full, swept)",
        ));
        let lost = catalog.counter(by(
            "reason",
            Loss::ALL.len(),
            "events_lost",
            "Requests that are in no other family, by reason, each once",
        ));
        let unread = catalog.counter(by(
            "kind",
            Unread::ALL.len(),
            "decode_errors",
            "What could not be read; requests with such a head are in http_requests_total, but those \
             of request_head, which are in events_lost (undecodable)",
        ));
        let connections = catalog.counter(by(
            "protocol",
            Protocol::ALL.len(),
            "connections",
            "Connections to watched ports by what their first bytes were; of others than http no \
             byte is read further",
        ));
        let errors = catalog.counter(by(
            "what",
            Failure::ALL.len(),
            "errors",
            "What the observer tried and could not do",
        ));
        let skipped = catalog.counter(by(
            "task",
            Task::ALL.len(),
            "ticks_skipped",
            "Times that regular work was left out, because what came before took too long",
        ));
        let entries = catalog.gauge(by(
            "table",
            Table::ALL.len(),
            "table_entries",
            "Entries; counting those of the kernel's tables takes a hundredth of the time at most, so \
             that where there are thousands they are some seconds old",
        ));
        let limits = catalog.gauge(by(
            "table",
            Table::ALL.len(),
            "table_limit",
            "Entries that there is room for",
        ));
        let drain = catalog.histogram(
            alone(
                "drain_duration_seconds",
                "Taking all events from the ring, once",
            ),
            &DRAIN_BUCKETS,
        );
        let last_drain = catalog.timestamp(alone(
            "last_drain_timestamp_seconds",
            "When events were last taken from the ring",
        ));
        let reload_successful = catalog.gauge(alone(
            "config_last_reload_successful",
            "1 if the configuration was read and taken over when it was last asked for, by a start \
             or SIGHUP; 0 if an older one holds",
        ));
        let last_reload = catalog.timestamp(alone(
            "config_last_reload_success_timestamp_seconds",
            "When a configuration was last taken over",
        ));
        let viewers = catalog.gauge(alone("viewers", "Who watches at the live socket"));
        let frames_missed = catalog.counter(alone(
            "viewer_frames_missed",
            "Frames that viewers did not get, since they had not read the one before",
        ));
        let probes = catalog.gauge(by(
            "probe",
            Hook::ALL.len(),
            "probe_attached",
            "1 if the hook is attached",
        ));
        let probe_runs = catalog.counter(by(
            "probe",
            Hook::ALL.len(),
            "probe_runs",
            "Runs of the hook's program, while the kernel counts them (kernel.bpf_stats_enabled)",
        ));
        let probe_seconds = catalog.seconds(by(
            "probe",
            Hook::ALL.len(),
            "probe_run_seconds",
            "Time in the hook's program, while the kernel counts it (kernel.bpf_stats_enabled)",
        ));
        Self {
            events: each(&events, Kind::ALL, Kind::name),
            lost: each(&lost, Loss::ALL, Loss::name),
            unread: each(&unread, Unread::ALL, Unread::name),
            ring_full: each(&ring_full, Kind::ALL, Kind::name),
            connections: each(&connections, Protocol::ALL, Protocol::name),
            errors: each(&errors, Failure::ALL, Failure::name),
            skipped: each(&skipped, Task::ALL, Task::name),
            entries: each(&entries, Table::ALL, Table::name),
            limits: each(&limits, Table::ALL, Table::name),
            drain: drain.only(),
            last_drain: last_drain.only(),
            reload_successful: reload_successful.only(),
            last_reload: last_reload.only(),
            viewers: viewers.only(),
            frames_missed: frames_missed.only(),
            probes,
            probe_runs,
            probe_seconds,
            kernel_lost: HashMap::new(),
        }
    }

    /// Counts what happened.
    pub(super) fn record(&self, tally: &Tally) {
        for (kind, count) in tally.events() {
            add(&self.events, &kind, count);
        }
        for (task, count) in tally.skipped() {
            add(&self.skipped, &task, count);
        }
        for duration in &tally.drains {
            self.drain.observe(duration.as_secs_f64());
        }
        if let Some(unix) = tally.last_drain {
            self.last_drain.set(unix.as_secs_f64());
        }
    }

    /// Something is not in the numbers.
    pub fn lost(&self, loss: Loss, count: u64) {
        add(&self.lost, &loss, count);
    }

    /// Something could not be read.
    pub fn unread(&self, unread: Unread) {
        add(&self.unread, &unread, 1);
    }

    /// The kernel side's own total of a reason, counted since it was loaded.
    pub fn kernel_lost(&mut self, loss: Loss, total: u64) {
        let counted = self.kernel_lost.entry(loss).or_default();
        let new = total.saturating_sub(*counted);
        *counted += new;
        self.lost(loss, new);
    }

    /// The kernel side's own total of connections with this protocol.
    pub fn connections(&self, protocol: Protocol, total: u64) {
        raise(&self.connections, &protocol, total);
    }

    /// All that ever failed of this.
    pub fn errors(&self, failure: Failure, total: u64) {
        raise(&self.errors, &failure, total);
    }

    /// The kernel side's own total of events of a kind that found the ring full. With its first
    /// event a request is lost; one that lost another ends, or is swept.
    pub fn ring_full(&mut self, kind: Kind, total: u64) {
        let Some(counter) = self.ring_full.get(&kind) else {
            return;
        };
        let new = total.saturating_sub(counter.get());
        counter.inc_by(new);
        if matches!(kind, Kind::Request | Kind::TftpRequest) {
            self.lost(Loss::RingFull, new);
        }
    }

    /// How full a table is.
    pub fn table(&self, table: Table, entries: usize, limit: usize) {
        for (gauges, value) in [(&self.entries, entries), (&self.limits, limit)] {
            if let Some(gauge) = gauges.get(&table) {
                gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            }
        }
    }

    /// A configuration was taken over at this time, or refused.
    pub fn reloaded(&self, taken: Option<Duration>) {
        self.reload_successful.set(i64::from(taken.is_some()));
        if let Some(unix) = taken {
            self.last_reload.set(unix.as_secs_f64());
        }
    }

    /// Who watches, and how many frames viewers ever missed.
    pub fn viewers(&self, now: usize, missed: u64) {
        self.viewers.set(i64::try_from(now).unwrap_or(i64::MAX));
        super::raise(&self.frames_missed, missed);
    }

    /// Whether a hook is attached.
    pub fn probe(&self, hook: Hook, attached: bool) {
        self.probes.with([hook.name()]).set(i64::from(attached));
    }

    /// What the kernel counted of its hooks' programs; nothing if it does not count.
    pub fn probe_runs(&self, all: &[ProbeRuns]) {
        if all.is_empty() {
            self.probe_runs.clear();
            self.probe_seconds.clear();
        }
        for ProbeRuns { hook, runs, time } in all {
            let counter = self.probe_runs.with([hook.name()]);
            counter.inc_by(runs.saturating_sub(counter.get()));
            let counter = self.probe_seconds.with([hook.name()]);
            let new = Duration::as_secs_f64(time) - counter.get();
            counter.inc_by(new.max(0.0));
        }
    }
}

fn by(
    label: &'static str,
    values: usize,
    name: &'static str,
    help: &'static str,
) -> Declaration<1> {
    Declaration {
        name,
        help,
        labels: [label],
        sets: values,
    }
}

fn alone(name: &'static str, help: &'static str) -> Declaration<0> {
    Declaration {
        name,
        help,
        labels: [],
        sets: 1,
    }
}

fn each<K, M, const N: usize>(
    family: &Family<M, 1>,
    all: [K; N],
    name: fn(K) -> &'static str,
) -> HashMap<K, M>
where
    K: Copy + Eq + Hash,
    M: super::family::Instrument,
{
    let all = all.into_iter();
    all.map(|key| (key, family.with([name(key)]))).collect()
}

fn add<K: Eq + Hash>(counters: &HashMap<K, Counter>, key: &K, count: u64) {
    if let Some(counter) = counters.get(key) {
        counter.inc_by(count);
    }
}

/// To a total that somebody else counts.
fn raise<K: Eq + Hash>(counters: &HashMap<K, Counter>, key: &K, total: u64) {
    if let Some(counter) = counters.get(key) {
        counter.inc_by(total.saturating_sub(counter.get()));
    }
}
