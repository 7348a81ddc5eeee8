//! The one task that owns the state: drains the ring, tracks, records.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use observer_common::loss::Counter;
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    clock::monotonic_ns,
    health::Health,
    http::ScrapeRequest,
    kernel::{Hook, Kernel},
    metrics::Metrics,
    model::{
        event::{Event, Kind},
        fact::Fact,
        loss::Loss,
        protocol::Protocol,
        track::{Live, Tracker},
    },
    watched::Watched,
};

/// Between drains: the ring holds many times what arrives in this time, and nobody is woken.
const DRAIN: Duration = Duration::from_millis(10);
/// Between looks at long responses and at the kernel side's own counts.
const LOOK: Duration = Duration::from_secs(1);
/// Between searches for connections whose end was lost.
const SWEEP: Duration = Duration::from_secs(30);

/// Kernel, tracker and metrics, with one owner.
pub struct Observer {
    kernel: Kernel,
    tracker: Tracker,
    metrics: Metrics,
    health: Arc<Health>,
    watched: Watched,
    facts: Vec<Fact>,
}

impl Observer {
    /// An observer of an attached kernel side.
    pub fn new(
        kernel: Kernel,
        tracker: Tracker,
        metrics: Metrics,
        health: Arc<Health>,
        watched: Watched,
    ) -> Self {
        for probe in kernel.probes() {
            metrics
                .observer
                .probe(probe.hook.name(), probe.attached.is_ok());
        }
        Self {
            kernel,
            tracker,
            metrics,
            health,
            watched,
            facts: Vec::new(),
        }
    }

    /// Runs until `stop` is ready, drains once more, and detaches.
    pub async fn run(
        mut self,
        mut scrapes: mpsc::Receiver<ScrapeRequest>,
        stop: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        let ring = self.kernel.ring()?;
        let (mut drain, mut look, mut sweep) = (every(DRAIN), every(LOOK), every(SWEEP));
        tokio::pin!(stop);
        loop {
            tokio::select! {
                _ = drain.tick() => self.drain(),
                // Only when it is past half full.
                ready = ring.readable() => {
                    ready?.clear_ready();
                    self.drain();
                }
                _ = look.tick() => {
                    self.drain();
                    self.look();
                }
                _ = sweep.tick() => self.sweep(),
                Some(done) = scrapes.recv() => {
                    self.drain();
                    self.look();
                    // A scraper that gave up does not want the answer.
                    let _ = done.send(());
                }
                () = &mut stop => break,
            }
        }
        self.drain();
        self.look();
        Ok(())
    }

    /// Takes all events, and looks after the responses that began in them.
    fn drain(&mut self) {
        let Self {
            kernel,
            tracker,
            metrics,
            facts,
            ..
        } = self;
        kernel.drain(|record| match Event::decode(record) {
            Some(event) => {
                metrics.observer.event(event.kind);
                tracker.on_event(&event, facts);
            }
            None => facts.push(Fact::Lost(Loss::Undecodable)),
        });
        self.follow(false);
        self.record();
        self.health.drained();
    }

    /// Looks at all responses under way, right behind a drain, and at what the kernel side counts
    /// by itself.
    fn look(&mut self) {
        let gone = self.follow(true);
        if !gone.is_empty() {
            // Their end was told before their entry went: it is in the ring, or lost.
            self.drain();
            self.tracker.sweep(monotonic_ns(), &gone, &mut self.facts);
        }
        self.record();
        self.metrics.http.set_live(&self.live());
        for (counter, loss) in [
            (Counter::TableFull, Loss::TableFull),
            (Counter::PendingOverflow, Loss::PendingOverflow),
            (Counter::PendingCollision, Loss::PendingCollision),
            (Counter::JoinedMidway, Loss::JoinedMidway),
            (Counter::PipelinedOpaque, Loss::PipelinedOpaque),
        ] {
            self.metrics
                .observer
                .kernel_lost(loss, self.kernel.count(counter));
        }
        for protocol in Protocol::ALL {
            self.metrics
                .observer
                .connections(protocol, self.kernel.connections(protocol.wire()));
        }
        for kind in Kind::ALL {
            self.metrics
                .observer
                .ring_full(kind, self.kernel.ring_full(kind.number()));
        }
        if self.watched.has_room() {
            self.watched.on_notices(&self.kernel.notices());
        }
        self.kernel.flush_diagnostics();
    }

    /// Without the hook that tells who takes requests up, nobody is said to wait.
    fn live(&self) -> Live {
        let mut live = self.tracker.live();
        let mut probes = self.kernel.probes().iter();
        if !probes.any(|probe| probe.hook == Hook::Recv && probe.attached.is_ok()) {
            live.waiting = Live::default().waiting;
        }
        live
    }

    fn sweep(&mut self) {
        let is_gone = |cookie: &u64| self.kernel.conn(*cookie).is_none();
        let gone = self.tracker.sockets().filter(is_gone).collect();
        // Their end may still be in the ring.
        self.drain();
        let now = monotonic_ns();
        self.tracker.sweep(now, &gone, &mut self.facts);
        self.kernel
            .sweep(now, |cookie| self.tracker.is_busy(cookie));
        self.record();
    }

    /// Returns the connections whose entries are gone.
    fn follow(&mut self, all: bool) -> HashSet<u64> {
        let now = monotonic_ns();
        let mut gone = HashSet::new();
        for cookie in self.tracker.due(all) {
            if let Some(entry) = self.kernel.conn(cookie) {
                self.tracker.on_entry(cookie, &entry, now, &mut self.facts);
            } else {
                gone.insert(cookie);
            }
        }
        gone
    }

    fn record(&mut self) {
        for fact in self.facts.drain(..) {
            self.metrics.record(&fact);
        }
    }
}

/// A tick that is late is skipped, not made up for.
fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
