//! Requests and connections that wait to be taken up.

use super::{
    super::{
        number, total, who_waits,
        words::{many, seconds, time},
    },
    Port,
};
use crate::model::verdict::{Cause, Finding, second::Second};

/// Fewer say nothing, be it requests or seconds.
const TWO: usize = 2;

impl Port<'_> {
    /// Each worker has its one exchange, and others wait.
    pub(super) fn workers_busy(&self) -> Option<Finding> {
        let pids: Vec<u32> = self.context.pids.serving(self.name).collect();
        let window = self.context.window;
        let held = |second: &Second, pid: u32| {
            let worker = second.workers.get(&(self.name, pid));
            worker.map_or(0, |worker| worker.held)
        };
        let has_one_each = window
            .seconds()
            .all(|second| pids.iter().all(|pid| held(second, *pid) <= 1));
        let is_busy = |second: &Second| {
            let busy = pids.iter().filter(|pid| held(second, **pid) == 1).count();
            // One may be between two exchanges when it is looked at.
            !pids.is_empty() && (busy == pids.len() || 4 * busy >= 3 * pids.len())
        };
        let waits = |second: &Second| self.waiting_in(second) >= TWO;
        if !has_one_each || window.count(|second| is_busy(second) && waits(second)) < TWO {
            return None;
        }
        let (who, sum) = who_waits(&self.surfaces)?;
        let holder = self.held_most()?;
        let says = format!(
            "{} waits {} p99 because {} holds all {} of port {} ({})",
            self.context.name(who),
            time(sum.waits.p99()),
            self.context.name(holder),
            many(pids.len(), "worker"),
            self.name.label(),
            self.context.server(pids.first().copied()),
        );
        let evidence = vec![
            ("waiting", number(self.waiting())),
            ("wait_p99_seconds", seconds(sum.waits.p99())),
            ("workers", number(pids.len())),
        ];
        Some(self.finding(
            Cause::WorkersBusy,
            Some(holder),
            number(self.waiting()),
            says,
            evidence,
        ))
    }

    pub(super) fn accept_queue(&self) -> Option<Finding> {
        let window = self.context.window;
        let port = window.port(self.name);
        let port_of = |second: &Second| second.ports.get(&self.name).copied().unwrap_or_default();
        // A queue that is not full counts drops, too (TCP_DEFER_ACCEPT).
        let full = window
            .seconds()
            .filter(|second| port_of(second).full)
            .count()
            >= TWO;
        let waits = |second: &Second| port_of(second).length != 0 && self.waiting_in(second) >= TWO;
        if !full && window.count(waits) < TWO {
            return None;
        }
        let says = if full {
            format!(
                "port {} turned {} away in {:.0} s: {} may wait to be accepted (the server's backlog, net.core.somaxconn)",
                self.name.label(),
                many(
                    usize::try_from(port.drops).unwrap_or(usize::MAX),
                    "connection"
                ),
                window.length(),
                port.limit,
            )
        } else {
            format!(
                "{} wait to be accepted at port {}",
                many(
                    usize::try_from(port.length).unwrap_or(usize::MAX),
                    "connection"
                ),
                self.name.label()
            )
        };
        let evidence = vec![
            ("turned_away", total(port.drops)),
            ("queue_length", total(port.length)),
            ("queue_limit", total(port.limit)),
            ("waiting", number(self.waiting())),
        ];
        let weight = total(port.drops) + number(self.waiting());
        Some(self.finding(
            Cause::AcceptQueue,
            self.waits_most(),
            weight,
            says,
            evidence,
        ))
    }
}
