//! What is not told by facts: set in the metrics with each look.

use std::time::Instant;

use observer_common::loss::Counter;

use super::Observer;
use crate::{
    clock::monotonic_ns,
    errors::Failure,
    kernel::Kernel,
    metrics::ObserverMetrics,
    model::{event::Kind, loss::Loss, protocol::Protocol, table::Table},
};

/// Counting what is in the kernel's tables takes one part of the time in so many.
const COUNTING: u32 = 100;

/// What the kernel side loses and counts by itself.
pub(super) const KERNEL_LOSSES: [(Counter, Loss); 5] = [
    (Counter::TableFull, Loss::TableFull),
    (Counter::PendingOverflow, Loss::PendingOverflow),
    (Counter::PendingCollision, Loss::PendingCollision),
    (Counter::JoinedMidway, Loss::JoinedMidway),
    (Counter::PipelinedOpaque, Loss::PipelinedOpaque),
];

impl Observer {
    /// Sets all of it, unless the metrics are being encoded.
    pub(super) fn report(&mut self) {
        let Self {
            ledger,
            kernel,
            tracker,
            servers,
            views,
            errors,
            ..
        } = self;
        let Some(metrics) = ledger.metrics() else {
            return;
        };
        let now_ns = monotonic_ns();
        let (live, transfers) = (tracker.live(), self.transfers.live());
        self.in_flight.advance(&live, now_ns);
        metrics.http.set_live(&live);
        metrics.http.set_in_flight(&self.in_flight);
        self.transfers_in_flight.advance(&transfers, now_ns);
        metrics.tftp.set_live(&transfers);
        metrics.tftp.set_in_flight(&self.transfers_in_flight);
        metrics.sockets.set_queues(&servers.queues);
        let (retransmits, connections) = (kernel.retransmits(), tracker.ports());
        let ports = servers.queues.ports();
        metrics.ports.set(ports, retransmits, &connections);
        metrics.links.set(&servers.links);
        metrics.starvation.set(&self.verdict);
        for (port, total) in kernel.udp_drops() {
            metrics.sockets.udp_drops(port, total);
        }
        let own = &mut metrics.observer;
        count_in_kernel(own, kernel);
        for (failure, total) in errors.totals() {
            own.errors(failure, total);
        }
        own.errors(Failure::Maps, kernel.unread_entries());
        let (viewers, missed) = views.viewers();
        own.viewers(viewers, missed);
        own.table(Table::Tracker, tracker.connections(), tracker.limit());
        let begun = Instant::now();
        if begun >= self.count_tables {
            views.tables = kernel.tables().to_vec();
            for (table, entries, limit) in views.tables.iter().copied() {
                own.table(table, entries, limit);
            }
            self.count_tables = begun + COUNTING * begun.elapsed();
        }
    }
}

/// What the kernel side counts by itself.
fn count_in_kernel(metrics: &mut ObserverMetrics, kernel: &mut Kernel) {
    for (counter, loss) in KERNEL_LOSSES {
        metrics.kernel_lost(loss, kernel.count(counter));
    }
    for protocol in Protocol::ALL {
        metrics.connections(protocol, kernel.connections(protocol.wire()));
    }
    for kind in Kind::ALL {
        metrics.ring_full(kind, kernel.ring_full(kind.number()));
    }
    metrics.probe_runs(&kernel.runs());
}
