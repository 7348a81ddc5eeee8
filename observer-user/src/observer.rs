//! The one task that owns the state: drains the ring, tracks, records.

mod ledger;
mod servers;
mod starvation;
mod views;

use std::{
    collections::HashSet,
    future::Future,
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use observer_common::loss::Counter;
use tokio::{
    io::unix::AsyncFd,
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};

use self::ledger::Ledger;
pub use self::{servers::Servers, views::Views};
use crate::{
    clock::{monotonic_ns, unix},
    errors::{Errors, Failure},
    health::Health,
    http::ScrapeRequest,
    kernel::{Hook, Kernel},
    live::Ask,
    metrics::{Metrics, Tally, Task},
    model::{
        event::{Event, Kind},
        fact::Fact,
        in_flight::InFlight,
        loss::Loss,
        protocol::Protocol,
        table::Table,
        tftp::{self, Transfers},
        track::{Live, Tracker},
        unread::Unread,
        verdict::Verdict,
    },
    reload::Reload,
    watched::Watched,
};

/// Between drains while much comes: whoever shares our processor does not wait for long.
const DRAIN: Duration = Duration::from_millis(2);
/// The same while little comes: the smaller of the rings still holds what a busy TFTP server
/// begins in it.
const DRAIN_QUIET: Duration = Duration::from_millis(50);
/// Waking costs more than a few events do: so many are to wait for it.
const BATCH: u32 = 512;
/// Between looks at long responses and at the kernel side's own counts.
const LOOK: Duration = Duration::from_secs(1);
/// Connections that are asked how they send, with each look: a few milliseconds of the thread that
/// asks. Of more, each has its turn.
const SENDING: usize = 512;
/// Between searches for connections whose end was lost.
const SWEEP: Duration = Duration::from_secs(30);

/// Counting what is in the kernel's tables takes one part of the time in so many.
const COUNTING: u32 = 100;

/// What the kernel side loses and counts by itself.
const KERNEL_LOSSES: [(Counter, Loss); 5] = [
    (Counter::TableFull, Loss::TableFull),
    (Counter::PendingOverflow, Loss::PendingOverflow),
    (Counter::PendingCollision, Loss::PendingCollision),
    (Counter::JoinedMidway, Loss::JoinedMidway),
    (Counter::PipelinedOpaque, Loss::PipelinedOpaque),
];

/// Kernel, tracker and metrics, with one owner.
pub struct Observer {
    kernel: Kernel,
    tracker: Tracker,
    transfers: Transfers,
    in_flight: InFlight,
    transfers_in_flight: InFlight,
    tally: Tally,
    ledger: Ledger,
    watched: Watched,
    servers: Servers,
    views: Views,
    verdict: Verdict,
    health: Arc<Health>,
    errors: Arc<Errors>,
    /// Waits for the metrics, if they are being encoded.
    reload: Option<Reload>,
    count_tables: Instant,
    pace: Pace,
}

/// What an observer is made of.
pub struct Parts {
    /// The attached kernel side.
    pub kernel: Kernel,
    /// HTTP exchanges.
    pub tracker: Tracker,
    /// TFTP transfers.
    pub transfers: Transfers,
    /// What is served.
    pub metrics: Metrics,
    /// Who says which ports are watched.
    pub watched: Watched,
    /// Servers' queues.
    pub servers: Servers,
    /// What viewers are told.
    pub views: Views,
    /// Who starves.
    pub verdict: Verdict,
    /// Whether events are being drained.
    pub health: Arc<Health>,
    /// What could not be done.
    pub errors: Arc<Errors>,
}

/// How soon the ring is to be drained again.
struct Pace {
    taken: u32,
    since: Instant,
    pause: Duration,
}

impl Pace {
    fn new() -> Self {
        Self {
            taken: 0,
            since: Instant::now(),
            pause: DRAIN,
        }
    }

    /// The next pause, after a drain.
    fn next(&mut self) -> Duration {
        let now = Instant::now();
        self.pause = pause(self.taken, now - self.since);
        (self.taken, self.since) = (0, now);
        self.pause
    }
}

impl Observer {
    /// Nothing is known yet.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            kernel,
            tracker,
            transfers,
            metrics,
            watched,
            servers,
            views,
            verdict,
            health,
            errors,
        } = parts;
        for probe in kernel.probes() {
            metrics.observer.probe(probe.hook, probe.attached.is_ok());
        }
        metrics.observer.reloaded(Some(unix()));
        Self {
            kernel,
            tracker,
            transfers,
            in_flight: InFlight::new(monotonic_ns()),
            transfers_in_flight: InFlight::new(monotonic_ns()),
            tally: Tally::default(),
            ledger: Ledger::new(metrics, Arc::clone(&errors)),
            watched,
            servers,
            views,
            verdict,
            health,
            errors,
            reload: None,
            count_tables: Instant::now(),
            pace: Pace::new(),
        }
    }

    /// Runs until `stop` is ready, drains once more, answers who has asked, and detaches.
    pub async fn run(
        mut self,
        ring: AsyncFd<OwnedFd>,
        mut scrapes: mpsc::Receiver<ScrapeRequest>,
        mut asks: mpsc::Receiver<Ask>,
        mut reloads: mpsc::Receiver<Reload>,
        stop: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        let (mut drain, mut look, mut sweep) = (every(DRAIN), every(LOOK), every(SWEEP));
        tokio::pin!(stop);
        loop {
            tokio::select! {
                due = drain.tick() => {
                    self.tally.skip(Task::Drain, skipped(due.elapsed(), self.pace.pause));
                    self.drain();
                    drain.reset_after(self.pace.next());
                }
                // Only when it is past half full.
                ready = ring.readable() => {
                    ready?.clear_ready();
                    self.drain();
                }
                due = look.tick() => {
                    self.tally.skip(Task::Look, skipped(due.elapsed(), LOOK));
                    self.drain();
                    self.look();
                    self.views.looked = true;
                    self.judge();
                    let sending = self.tracker.sending(SENDING);
                    let processes = self.verdict.processes().collect();
                    self.servers.ask(sending, processes, &mut self.tally);
                }
                due = sweep.tick() => {
                    self.tally.skip(Task::Sweep, skipped(due.elapsed(), SWEEP));
                    self.sweep();
                }
                Some(asked) = scrapes.recv() => {
                    self.ledger.ask(asked);
                    while let Ok(asked) = scrapes.try_recv() {
                        self.ledger.ask(asked);
                    }
                }
                Some(ask) = asks.recv() => self.views.ask(ask),
                encoded = self.ledger.encoded() => encoded?,
                Some(reload) = reloads.recv(), if self.reload.is_none() => {
                    self.reload = Some(reload);
                }
                () = &mut stop => break,
            }
            self.take_over();
            if self.ledger.is_due() {
                self.drain();
                self.look();
                self.ledger.encode();
            }
            if self.views.is_due() {
                self.show();
            }
            self.views.looked = false;
        }
        self.drain();
        self.look();
        self.answer_the_last(&mut scrapes).await
    }

    /// Who asked before we stopped is answered still.
    async fn answer_the_last(
        &mut self,
        scrapes: &mut mpsc::Receiver<ScrapeRequest>,
    ) -> std::io::Result<()> {
        scrapes.close();
        while let Ok(asked) = scrapes.try_recv() {
            self.ledger.ask(asked);
        }
        while self.ledger.is_encoding() || self.ledger.is_due() {
            if self.ledger.is_due() {
                self.look();
                self.ledger.encode();
            }
            self.ledger.encoded().await?;
        }
        Ok(())
    }

    /// Takes new terms over, between two drains: what lives keeps its label, and what begins later
    /// has a series to be counted in.
    fn take_over(&mut self) {
        let Some(metrics) = self.ledger.metrics() else {
            return;
        };
        let Some((terms, done)) = self.reload.take() else {
            return;
        };
        metrics.observer.reloaded(terms.is_some().then(unix));
        if let Some(terms) = terms {
            let endpoints = terms.classifier.endpoints();
            metrics.extend(endpoints);
            self.verdict.reload(endpoints, terms.thresholds);
            let (rules, ns) = (terms.classifier, terms.stalled_after_ns);
            self.tracker.reload(Arc::clone(&rules), ns);
            self.transfers.reload(rules, ns);
        }
        // Who asked may have ended.
        let _ = done.send(());
    }

    /// Takes all events, and looks after the responses that began in them.
    fn drain(&mut self) {
        let begun = Instant::now();
        let Self {
            kernel,
            tracker,
            tally,
            pace,
            ..
        } = self;
        kernel.drain(|record| match Event::decode(record) {
            Some(event) => {
                pace.taken += 1;
                tally.event(event.kind);
                tracker.on_event(&event, &mut tally.facts);
            }
            None => tally.facts.push(Fact::Unread(Unread::Event)),
        });
        self.drain_transfers();
        self.follow(false);
        // Behind the events: of what ended before it was asked nothing more is told.
        for (cookie, at_ns, state) in self.servers.take() {
            let facts = &mut self.tally.facts;
            self.tracker
                .on_clocks(cookie, at_ns, (&state).into(), facts);
            self.tracker.on_retransmits(cookie, state.total_retrans);
        }
        self.tally.drains.push(begun.elapsed());
        self.tally.last_drain = Some(unix());
        self.record();
        self.health.drained();
    }

    fn drain_transfers(&mut self) {
        let Self {
            kernel,
            transfers,
            tally,
            pace,
            ..
        } = self;
        kernel.drain_transfers(|record| match tftp::Event::decode(record) {
            Some(event) => {
                pace.taken += 1;
                tally.event(event.kind);
                transfers.on_event(&event, &mut tally.transfers);
            }
            None => tally.facts.push(Fact::Unread(Unread::Event)),
        });
    }

    /// Looks at all responses under way, right behind a drain, and at what the kernel side counts
    /// by itself.
    fn look(&mut self) {
        let gone = self.follow(true);
        if !gone.is_empty() {
            // Their end was told before their entry went: it is in the ring, or lost.
            self.drain();
            self.tracker
                .sweep(monotonic_ns(), &gone, &mut self.tally.facts);
        }
        self.look_at_transfers();
        self.record();
        self.report();
        if self.watched.has_room() {
            self.watched.on_notices(&self.kernel.notices());
        }
        self.kernel.flush_diagnostics();
    }

    /// Right behind a drain: an entry that is gone is told of.
    fn look_at_transfers(&mut self) {
        let now = monotonic_ns();
        let (mut gone, facts) = (HashSet::new(), &mut self.tally.transfers);
        for peer in self.transfers.due(now) {
            if let Some(entry) = self.kernel.transfer(&peer) {
                self.transfers.on_entry(&peer, &entry, now, facts);
            } else {
                gone.insert(peer);
            }
        }
        self.transfers.forget(&gone, now, facts);
    }

    /// Sets what is not told by facts.
    fn report(&mut self) {
        let live = self.live();
        let Some(metrics) = self.ledger.metrics() else {
            return;
        };
        self.in_flight.advance(&live, monotonic_ns());
        metrics.http.set_live(&live);
        metrics.http.set_in_flight(&self.in_flight);
        let live = self.transfers.live();
        self.transfers_in_flight.advance(&live, monotonic_ns());
        metrics.tftp.set_live(&live);
        metrics.tftp.set_in_flight(&self.transfers_in_flight);
        for (counter, loss) in KERNEL_LOSSES {
            let total = self.kernel.count(counter);
            metrics.observer.kernel_lost(loss, total);
        }
        for protocol in Protocol::ALL {
            let total = self.kernel.connections(protocol.wire());
            metrics.observer.connections(protocol, total);
        }
        for kind in Kind::ALL {
            let total = self.kernel.ring_full(kind.number());
            metrics.observer.ring_full(kind, total);
        }
        for (port, total) in self.kernel.udp_drops() {
            metrics.sockets.udp_drops(port, total);
        }
        metrics.sockets.set_queues(&self.servers.queues);
        let ports = self.servers.queues.ports();
        let (retransmits, connections) = (self.kernel.retransmits(), self.tracker.ports());
        metrics.ports.set(ports, retransmits, &connections);
        metrics.links.set(&self.servers.links);
        metrics.starvation.set(&self.verdict);
        for (failure, total) in self.errors.totals() {
            metrics.observer.errors(failure, total);
        }
        let unread = self.kernel.unread_entries();
        metrics.observer.errors(Failure::Maps, unread);
        metrics.observer.probe_runs(&self.kernel.runs());
        let (viewers, missed) = self.views.viewers();
        metrics.observer.viewers(viewers, missed);
        let (entries, limit) = (self.tracker.connections(), self.tracker.limit());
        metrics.observer.table(Table::Tracker, entries, limit);
        let begun = Instant::now();
        if begun >= self.count_tables {
            self.views.tables = self.kernel.tables().to_vec();
            for (table, entries, limit) in self.views.tables.iter().copied() {
                metrics.observer.table(table, entries, limit);
            }
            self.count_tables = begun + COUNTING * begun.elapsed();
        }
    }

    /// Without the hook that tells who takes requests up, nobody is said to wait.
    fn live(&self) -> Live {
        let mut live = self.tracker.live();
        if !self.sees_pickup() {
            live.waiting = Live::default().waiting;
        }
        live
    }

    fn sees_pickup(&self) -> bool {
        let mut probes = self.kernel.probes().iter();
        probes.any(|probe| probe.hook == Hook::Recv && probe.attached.is_ok())
    }

    fn sweep(&mut self) {
        let is_gone = |cookie: &u64| self.kernel.conn(*cookie).is_none();
        let gone = self.tracker.sockets().filter(is_gone).collect();
        // Their end may still be in the ring.
        self.drain();
        let now = monotonic_ns();
        self.tracker.sweep(now, &gone, &mut self.tally.facts);
        self.kernel
            .sweep(now, |cookie| self.tracker.is_busy(cookie));
        self.transfers.sweep(now);
        self.kernel
            .sweep_transfers(now, |peer| self.transfers.is_busy(peer));
        self.record();
    }

    /// Returns the connections whose entries are gone.
    fn follow(&mut self, all: bool) -> HashSet<u64> {
        let now = monotonic_ns();
        let mut gone = HashSet::new();
        for cookie in self.tracker.due(all) {
            if let Some(entry) = self.kernel.conn(cookie) {
                self.tracker
                    .on_entry(cookie, &entry, now, &mut self.tally.facts);
            } else {
                gone.insert(cookie);
            }
        }
        gone
    }

    /// Counts what happened, unless the metrics are being encoded: then it waits.
    fn record(&mut self) {
        let Some(metrics) = self.ledger.metrics() else {
            return;
        };
        let now = monotonic_ns();
        for fact in &self.tally.facts {
            self.in_flight.on_fact(fact, now);
            self.servers.queues.on_fact(fact);
            self.servers.links.on_fact(fact);
            self.verdict.on_fact(fact);
            self.views.on_fact(fact);
        }
        for fact in &self.tally.transfers {
            self.transfers_in_flight.on_transfer(fact);
            self.servers.links.on_transfer(fact);
            self.verdict.on_transfer(fact);
            self.views.on_transfer(fact);
        }
        metrics.record(&mut self.tally);
        if self.in_flight.is_full() {
            self.in_flight.advance(&self.tracker.live(), now);
        }
        if self.transfers_in_flight.is_full() {
            let live = self.transfers.live();
            self.transfers_in_flight.advance(&live, now);
        }
    }
}

/// A tick that is late is skipped, not made up for.
fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// The time in which a batch comes, if as many come as `taken` in this time.
fn pause(taken: u32, elapsed: Duration) -> Duration {
    (elapsed * BATCH / taken.max(1)).clamp(DRAIN, DRAIN_QUIET)
}

/// Ticks that did not come, before one that came so late.
fn skipped(late: Duration, period: Duration) -> u64 {
    u64::try_from(late.as_nanos() / period.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_drained_as_often_as_there_is_something_to_drain() {
        let ms = Duration::from_millis;
        for (taken, elapsed, next) in [
            (0, 10, 50),
            (100, 10, 50),
            (256, 10, 20),
            (1_024, 10, 5),
            (5_000, 10, 2),
            (1_024, 50, 25),
            (u32::MAX, 50, 2),
        ] {
            assert_eq!(pause(taken, ms(elapsed)), ms(next), "{taken}");
        }
    }

    #[test]
    fn a_tick_that_is_late_is_not_yet_skipped() {
        let ms = Duration::from_millis;
        for (late, count) in [(0, 0), (9, 0), (10, 1), (35, 3), (5_000, 500)] {
            assert_eq!(skipped(ms(late), ms(10)), count, "{late} ms");
        }
    }
}
