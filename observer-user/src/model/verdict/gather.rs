//! From facts, live exchanges and samples to seconds.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use foldhash::HashMap;

use super::{
    Thresholds,
    pids::Pids,
    second::{Files, Link, Port, Second, TftpPort},
    totals::Totals,
};
use crate::model::{
    classify::Endpoint,
    fact::{Asked, Fact},
    limiter::Limited,
    links::Links,
    ports::{Name, Ports},
    processes::{PROCESSES, Process, Serves},
    queues::Queues,
    tftp,
    track::{Step, UnderWay},
};

/// Shorter seconds are not looked at.
const SHORTEST_NS: u64 = 200_000_000;

/// One after the other.
pub type Each<'a, T> = Box<dyn Iterator<Item = T> + 'a>;

/// What there is at one instant.
pub struct Scene<'a> {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub now_ns: u64,
    /// Exchanges in flight.
    pub exchanges: Each<'a, UnderWay>,
    /// TFTP transfers in flight, and whether nobody has answered.
    pub transfers: Each<'a, (&'a tftp::fact::Asked, bool)>,
    /// Servers' queues.
    pub queues: &'a Queues,
    /// The links.
    pub links: &'a Links,
    /// Segments that were sent again in all, by port.
    pub retransmits: Each<'a, (u16, u64)>,
    /// Requests that found a queue full in all, by port.
    pub udp_drops: Each<'a, (u16, u64)>,
    /// What servers' processes do.
    pub processes: &'a [Process],
    /// Whose the sockets at servers' ports are.
    pub owners: &'a BTreeMap<Serves, BTreeSet<u32>>,
}

/// What was seen since the last second ended.
#[derive(Debug, Default)]
pub(super) struct Gather {
    since_ns: Option<u64>,
    surfaces: HashMap<(u16, Endpoint), Moved>,
    files: BTreeMap<Endpoint, Files>,
    pids: Pids,
    drops: Totals<Name>,
    retransmits: Totals<u16>,
    udp_drops: Totals<u16>,
    sent: Totals<String>,
    received: Totals<String>,
    sent_drops: Totals<String>,
}

/// What moved at a surface.
#[derive(Debug, Default)]
struct Moved {
    waits: Vec<u64>,
    limited: Limited,
    bytes: u64,
}

/// Surfaces and waits that are kept for a second.
const KEPT: usize = 4096;

impl Gather {
    pub(super) fn pids(&self) -> &Pids {
        &self.pids
    }

    pub(super) fn processes(&self) -> impl Iterator<Item = u32> {
        self.pids.all()
    }

    pub(super) fn on_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Ended { asked, phases, .. } => {
                if let (Some(queue), Some(moved)) = (phases.queue, self.moved(asked))
                    && moved.waits.len() < KEPT
                {
                    moved.waits.push(queue);
                }
            }
            Fact::Moved {
                asked,
                response_bytes,
                ..
            } => {
                if let Some(moved) = self.moved(asked) {
                    moved.bytes += response_bytes;
                }
            }
            Fact::Limited { asked, limited } => {
                if let Some(moved) = self.moved(asked) {
                    moved.limited.add(*limited);
                }
            }
            Fact::Begun { .. }
            | Fact::Named { .. }
            | Fact::Answered { .. }
            | Fact::Streaming { .. }
            | Fact::Delivered { .. }
            | Fact::Undelivered { .. }
            | Fact::Discarded { .. }
            | Fact::Displaced { .. }
            | Fact::Dropped { .. }
            | Fact::Lost(_)
            | Fact::Unread(_) => {}
        }
    }

    pub(super) fn on_transfer(&mut self, fact: &tftp::Fact) {
        match fact {
            tftp::Fact::Answered { asked, wait_ns } => {
                let files = self.files.entry(asked.class.endpoint).or_default();
                files.waits.add(*wait_ns);
            }
            tftp::Fact::Moved {
                asked,
                blocks,
                retransmits,
                ..
            } => {
                let files = self.files.entry(asked.class.endpoint).or_default();
                files.blocks += blocks;
                files.retransmits += retransmits;
            }
            tftp::Fact::Begun { .. }
            | tftp::Fact::Named { .. }
            | tftp::Fact::Agreed { .. }
            | tftp::Fact::Failed { .. }
            | tftp::Fact::Ended { .. }
            | tftp::Fact::AnsweredLate
            | tftp::Fact::Dropped { .. } => {}
        }
    }

    /// Ends the second, if it was one.
    pub(super) fn second(&mut self, scene: Scene<'_>, thresholds: &Thresholds) -> Option<Second> {
        let since_ns = *self.since_ns.get_or_insert(scene.now_ns);
        let elapsed_ns = scene.now_ns.saturating_sub(since_ns);
        if elapsed_ns < SHORTEST_NS {
            return None;
        }
        self.since_ns = Some(scene.now_ns);
        self.pids.at(scene.now_ns);
        let mut second = Second {
            length: seconds(elapsed_ns),
            files: std::mem::take(&mut self.files),
            ..Second::default()
        };
        let ports = scene.queues.ports();
        self.moved_into(&mut second, ports);
        for exchange in scene.exchanges {
            let age_ns = scene.now_ns.saturating_sub(exchange.since_ns);
            self.exchange(&mut second, ports, &exchange, age_ns, thresholds);
        }
        for (asked, waits) in scene.transfers {
            let age_ns = scene.now_ns.saturating_sub(asked.begun_ns);
            let files = second.files.entry(asked.class.endpoint).or_default();
            transfer(files, waits, age_ns, thresholds);
        }
        self.ports(&mut second, scene.queues, scene.retransmits);
        self.tftp_ports(&mut second, scene.queues, scene.udp_drops);
        self.links(&mut second, scene.links);
        let processes = scene.processes.iter().take(PROCESSES);
        second.processes = processes.map(|one| (one.pid, one.clone())).collect();
        self.pids.own(ports, scene.owners);
        Some(second)
    }

    /// What ended and moved since the last second.
    fn moved_into(&mut self, second: &mut Second, ports: &Ports) {
        for ((port, endpoint), moved) in self.surfaces.drain() {
            let name = ports.name(port).unwrap_or(Name::Other);
            let Some(surface) = second.surface(name, endpoint) else {
                continue;
            };
            moved.waits.iter().for_each(|ns| surface.waits.add(*ns));
            surface.bytes += moved.bytes;
            for (sum, (_, ns)) in surface.limited.iter_mut().zip(moved.limited.by_limiter()) {
                *sum += seconds(ns);
            }
        }
    }

    fn exchange(
        &mut self,
        second: &mut Second,
        ports: &Ports,
        exchange: &UnderWay,
        age_ns: u64,
        thresholds: &Thresholds,
    ) {
        let (asked, endpoint) = (&exchange.asked, exchange.asked.class.endpoint);
        let port = ports.name(asked.tuple.server_port).unwrap_or(Name::Other);
        if let Some(pid) = exchange.pid {
            self.pids.take_up(port, pid);
            second.hold(port, pid, endpoint);
        }
        let Some(surface) = second.surface(port, endpoint) else {
            return;
        };
        match exchange.step {
            Step::Waiting => {
                surface.waits.add(age_ns);
                surface.waiting += usize::from(seconds(age_ns) >= thresholds.wait_seconds);
            }
            Step::Handling => {
                surface.handled.add(age_ns);
                surface.handled_long += usize::from(seconds(age_ns) >= thresholds.handle_seconds);
            }
            Step::Transferring => surface.sent += 1,
            // Of its client.
            Step::Arriving | Step::Draining | Step::Streaming => {}
        }
    }

    fn ports(&mut self, second: &mut Second, queues: &Queues, retransmits: Each<'_, (u16, u64)>) {
        for (name, listening) in queues.listening() {
            second.ports.insert(
                name,
                Port {
                    down: !listening.up,
                    length: listening.length,
                    limit: listening.limit,
                    full: listening.full,
                    ..Port::default()
                },
            );
        }
        for (name, total) in queues.drops() {
            let more = self.drops.more(name, total);
            second.ports.entry(name).or_default().drops += more;
        }
        for (port, total) in retransmits {
            let more = self.retransmits.more(port, total);
            let name = queues.ports().name(port).unwrap_or(Name::Other);
            second.ports.entry(name).or_default().retransmits += more;
        }
    }

    fn tftp_ports(&mut self, second: &mut Second, queues: &Queues, drops: Each<'_, (u16, u64)>) {
        for (port, receiving) in queues.receiving() {
            let down = !receiving.up;
            second.tftp_ports.insert(port, TftpPort { down, drops: 0 });
        }
        for (port, total) in drops {
            let more = self.udp_drops.more(port, total);
            second.tftp_ports.entry(port).or_default().drops += more;
        }
    }

    fn links(&mut self, second: &mut Second, links: &Links) {
        for (name, total) in links.totals() {
            let link = Link {
                sent: self.sent.more(name.to_owned(), total.sent),
                received: self.received.more(name.to_owned(), total.received),
                sent_drops: self.sent_drops.more(name.to_owned(), total.sent_drops),
                speed: total.speed,
                backlog: total.backlog,
            };
            second.links.insert(name.to_owned(), link);
        }
    }

    fn moved(&mut self, asked: &Asked) -> Option<&mut Moved> {
        let key = (asked.tuple.server_port, asked.class.endpoint);
        let has_room = self.surfaces.len() < KEPT || self.surfaces.contains_key(&key);
        has_room.then(|| self.surfaces.entry(key).or_default())
    }
}

fn transfer(files: &mut Files, waits: bool, age_ns: u64, thresholds: &Thresholds) {
    if waits {
        files.waits.add(age_ns);
        files.waiting += usize::from(seconds(age_ns) >= thresholds.wait_seconds);
    } else {
        files.running += 1;
    }
}

fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}
