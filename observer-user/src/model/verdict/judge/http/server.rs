//! Servers that do not serve: gone, held, or waiting for their disk.

use super::{
    super::{
        number,
        words::{many, seconds, time},
    },
    Port,
};
use crate::model::verdict::{Cause, Finding, second::Second, window::MOST};

impl Port<'_> {
    pub(super) fn server_down(&self) -> Option<Finding> {
        let latest = self.context.window.latest()?;
        latest.ports.get(&self.name).filter(|port| port.down)?;
        let says = format!(
            "nobody listens at port {} any more: is the server running?",
            self.name.label()
        );
        Some(self.finding(Cause::ServerDown, None, 1.0, says, Vec::new()))
    }

    pub(super) fn server_stopped(&self) -> Option<Finding> {
        let pids = self.context.pids.of(self.name);
        let stopped = self.context.stopped(&pids)?;
        let waiting = self.waiting();
        let longest = self
            .surfaces
            .values()
            .map(|sum| sum.latest.waits.longest())
            .max()
            .unwrap_or(0);
        let says = format!(
            "{} at port {} is stopped, by a signal or a debugger: {} for up to {}",
            self.context.server(pids.iter().copied()),
            self.name.label(),
            many(waiting, "request") + if waiting == 1 { " waits" } else { " wait" },
            time(longest),
        );
        let evidence = vec![
            ("processes", number(stopped)),
            ("waiting", number(waiting)),
            ("longest_wait_seconds", seconds(longest)),
        ];
        Some(self.finding(
            Cause::ServerStopped,
            self.waits_most(),
            1.0 + number(waiting),
            says,
            evidence,
        ))
    }

    pub(super) fn server_disk(&self) -> Option<Finding> {
        let pids: Vec<u32> = self.context.pids.serving(self.name).collect();
        let blocked = |second: &Second| {
            let blocked = |pid: &&u32| {
                let process = second.processes.get(*pid);
                process.is_some_and(|process| process.threads.blocked != 0)
            };
            pids.iter().filter(blocked).count()
        };
        let suffers = |second: &Second| self.suffering(second) != 0;
        let is_blocked = |second: &Second| !pids.is_empty() && 2 * blocked(second) >= pids.len();
        let seconds_blocked = self
            .context
            .window
            .count(|second| is_blocked(second) && suffers(second));
        if seconds_blocked < MOST {
            return None;
        }
        let latest = self.context.window.latest()?;
        let (blocked, suffering) = (blocked(latest), self.suffering(latest));
        let says = format!(
            "{} at port {} waits for its disk: {} of {} blocked, {} held up",
            self.context.server(pids.iter().copied()),
            self.name.label(),
            blocked,
            many(pids.len(), "worker"),
            many(suffering, "request"),
        );
        let evidence = vec![
            ("workers", number(pids.len())),
            ("blocked", number(blocked)),
            ("held_up", number(suffering)),
        ];
        let surface = self.held_most();
        Some(self.finding(
            Cause::ServerDisk,
            surface,
            number(suffering),
            says,
            evidence,
        ))
    }
}
