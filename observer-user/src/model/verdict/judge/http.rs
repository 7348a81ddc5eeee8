//! What shows at an HTTP port.

use std::collections::BTreeMap;

use super::{
    Context, network, number, total, who_waits,
    words::{many, percent, rate, seconds, time},
};
use crate::model::{
    classify::Endpoint,
    limiter::Limiter,
    ports::Name,
    verdict::{
        Cause, Finding,
        finding::Place,
        second::Second,
        window::{MOST, Sum},
    },
};

/// Fewer say nothing.
const FEW: usize = 3;
/// The same of those that wait.
const TWO: usize = 2;

/// One port, and what there is at it.
pub(super) struct Port<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) name: Name,
    pub(super) surfaces: BTreeMap<Endpoint, Sum>,
}

pub(super) fn all(context: &Context<'_>, name: Name) -> Vec<Finding> {
    let surfaces = context.window.surfaces(name);
    let port = Port {
        context,
        name,
        surfaces,
    };
    [
        port.server_down(),
        port.server_stopped(),
        port.server_disk(),
        port.workers_busy(),
        port.accept_queue(),
        port.handler_slow(),
        network::loss(&port),
        port.client_slow(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Port<'_> {
    pub(super) fn finding(
        &self,
        cause: Cause,
        surface: Option<Endpoint>,
        weight: f64,
        says: String,
        evidence: Vec<(&'static str, f64)>,
    ) -> Finding {
        let place = Place::Http(self.name);
        Finding {
            cause,
            surface,
            says,
            evidence,
            place,
            weight,
        }
    }

    fn server_down(&self) -> Option<Finding> {
        let latest = self.context.window.latest()?;
        latest.ports.get(&self.name).filter(|port| port.down)?;
        let says = format!(
            "nobody listens at port {} any more: is the server running?",
            self.name.label()
        );
        Some(self.finding(Cause::ServerDown, None, 1.0, says, Vec::new()))
    }

    fn server_stopped(&self) -> Option<Finding> {
        let latest = self.context.window.latest()?;
        let pids = self.context.pids.of(self.name);
        let known: Vec<_> = pids
            .iter()
            .filter_map(|pid| latest.processes.get(pid))
            .collect();
        if known.is_empty() || !known.iter().all(|process| process.threads.are_stopped()) {
            return None;
        }
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
            ("processes", number(known.len())),
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

    fn server_disk(&self) -> Option<Finding> {
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

    /// Each worker has its one exchange, and others wait.
    fn workers_busy(&self) -> Option<Finding> {
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

    fn accept_queue(&self) -> Option<Finding> {
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

    /// It works for long on its answers, or writes them slowly, or does not come to read requests.
    fn handler_slow(&self) -> Option<Finding> {
        let most = self
            .surfaces
            .iter()
            .max_by_key(|(_, sum)| sum.latest.handled_long)?;
        let (endpoint, sum) = (*most.0, most.1);
        let is_long = |second: &Second| {
            let surface = second.surfaces.get(&(self.name, endpoint));
            surface.is_some_and(|surface| surface.handled_long >= FEW)
        };
        if self.context.window.count(is_long) >= TWO {
            let says = format!(
                "{} is slow to answer at port {}: {} in work for up to {}",
                self.context.name(endpoint),
                self.name.label(),
                many(sum.latest.handled.count(), "request"),
                time(sum.handled.p99()),
            );
            let evidence = vec![
                ("handled", number(sum.latest.handled.count())),
                ("handle_p99_seconds", seconds(sum.handled.p99())),
            ];
            let weight = number(sum.latest.handled_long);
            return Some(self.finding(Cause::HandlerSlow, Some(endpoint), weight, says, evidence));
        }
        self.written_slowly()
    }

    fn written_slowly(&self) -> Option<Finding> {
        let (endpoint, sum) = self.sent_slowly(Limiter::Server)?;
        let says = format!(
            "the server at port {} writes {} at {} each: {} of the time of sending is its own",
            self.name.label(),
            self.context.name(endpoint),
            rate(sum.rate()),
            percent(sum.limited(Limiter::Server) / sum.sending()),
        );
        let evidence = vec![
            ("sending", number(sum.latest.sent)),
            ("bytes_per_second", sum.rate()),
        ];
        Some(self.finding(
            Cause::HandlerSlow,
            Some(endpoint),
            number(sum.latest.sent),
            says,
            evidence,
        ))
    }

    fn client_slow(&self) -> Option<Finding> {
        let (endpoint, sum) = self.sent_slowly(Limiter::ClientWindow)?;
        let share = sum.limited(Limiter::ClientWindow) / sum.sending();
        let says = format!(
            "{} of {} read {} each: {} of the time of sending their windows are closed",
            many(sum.latest.sent, "client"),
            self.context.name(endpoint),
            rate(sum.rate()),
            percent(share),
        );
        let evidence = vec![
            ("sending", number(sum.latest.sent)),
            ("bytes_per_second", sum.rate()),
            ("window_closed_ratio", share),
        ];
        Some(self.finding(
            Cause::ClientSlow,
            Some(endpoint),
            number(sum.latest.sent),
            says,
            evidence,
        ))
    }

    /// The endpoint whose answers, several at once, are sent slowly for this reason.
    fn sent_slowly(&self, limiter: Limiter) -> Option<(Endpoint, &Sum)> {
        let slow = |sum: &&Sum| {
            sum.is_limited_by(limiter)
                && sum.latest.sent >= FEW
                && sum.sending() >= number(FEW) * self.context.window.length()
                && sum.rate() < self.context.thresholds.slow_client_bytes_per_second
        };
        let all = self.surfaces.iter().filter(|(_, sum)| slow(sum));
        let most = all.max_by_key(|(_, sum)| sum.latest.sent)?;
        Some((*most.0, most.1))
    }

    /// Those that have waited for too long to be taken up.
    fn waiting(&self) -> usize {
        self.surfaces.values().map(|sum| sum.latest.waiting).sum()
    }

    fn waiting_in(&self, second: &Second) -> usize {
        let here = second
            .surfaces
            .iter()
            .filter(|((port, _), _)| *port == self.name);
        here.map(|(_, surface)| surface.waiting).sum()
    }

    /// Those that wait, are worked on for long, or wait for the server to write.
    fn suffering(&self, second: &Second) -> usize {
        let here = second
            .surfaces
            .iter()
            .filter(|((port, _), _)| *port == self.name);
        here.map(|(_, surface)| {
            let server = surface
                .limited
                .get(Limiter::Server as usize)
                .copied()
                .unwrap_or(0.0);
            let is_written_slowly = server > surface.limited.iter().sum::<f64>() / 2.0;
            let sent = if is_written_slowly { surface.sent } else { 0 };
            surface.waiting + surface.handled_long + sent
        })
        .sum()
    }

    fn waits_most(&self) -> Option<Endpoint> {
        who_waits(&self.surfaces).map(|(endpoint, _)| endpoint)
    }

    /// What the workers have most of the time.
    fn held_most(&self) -> Option<Endpoint> {
        let mut held: BTreeMap<Endpoint, usize> = BTreeMap::new();
        for second in self.context.window.seconds() {
            let here = second
                .workers
                .iter()
                .filter(|((port, _), _)| *port == self.name);
            for endpoint in here.filter_map(|(_, worker)| worker.of) {
                *held.entry(endpoint).or_default() += 1;
            }
        }
        held.into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(endpoint, _)| endpoint)
    }
}
