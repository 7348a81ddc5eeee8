//! The one task, on a thread of its own, that owns the state: drains the ring, tracks, records.

mod ledger;
mod pace;
mod report;
mod servers;
mod starvation;
mod thread;
mod views;

use std::{
    collections::HashSet,
    future::Future,
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{io::unix::AsyncFd, sync::mpsc};

use self::{
    ledger::Ledger,
    pace::{Pace, every, skipped},
};
pub use self::{servers::Servers, thread::Thread, views::Views};
use crate::{
    clock::{monotonic_ns, unix},
    errors::Errors,
    health::Health,
    http::ScrapeRequest,
    kernel::Kernel,
    live::Ask,
    metrics::{Metrics, Tally, Task},
    model::{
        event::Event,
        fact::Fact,
        in_flight::InFlight,
        tftp::{self, Transfers},
        track::Tracker,
        unread::Unread,
        verdict::Verdict,
    },
    reload::Reload,
    watched::Watched,
};

/// Between looks at long responses and at the kernel side's own counts.
const LOOK: Duration = Duration::from_secs(1);
/// Connections that are asked how they send, with each look: a few milliseconds of the thread that
/// asks. Of more, each has its turn.
const SENDING: usize = 512;
/// Between searches for connections whose end was lost.
const SWEEP: Duration = Duration::from_secs(30);

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
        let (mut drain, mut look, mut sweep) = (every(pace::DRAIN), every(LOOK), every(SWEEP));
        tokio::pin!(stop);
        loop {
            tokio::select! {
                due = drain.tick() => {
                    self.tally.skip(Task::Drain, self.pace.skipped(due.elapsed()));
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
