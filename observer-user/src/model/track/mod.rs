//! From kernel events to facts. Sans I/O: an event and the state give a new state and facts.
//!
//! Invariant: every request whose first line was seen ends as exactly one of: a fact
//! [`Fact::Ended`], a counted [`Fact::Lost`], or an exchange still in flight.

mod assembly;
mod connection;
mod exchange;
mod phases;
mod rows;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use foldhash::{HashMap, HashMapExt as _};
use observer_common::{
    conn::{Conn, Tuple},
    limits::{self, EARLY_DATA_NS},
};

pub use self::rows::{Row, Rows, Step};
use self::{connection::Connection, exchange::Exchange};
use super::{
    classify::{Classifier, Endpoint, MAX_ENDPOINTS},
    event::{Event, Kind},
    fact::{Asked, Fact},
    limiter::{Clocks, Reading},
    loss::Loss,
    stall::{STALLED_AFTER_NS, WaitsFor},
};

/// By what a connection is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Its socket's cookie.
    Socket(u64),
    /// Its addresses and ports, before it has a socket of its own.
    Early(Tuple),
}

impl Key {
    fn of(cookie: u64, tuple: Tuple) -> Self {
        if cookie == 0 {
            Self::Early(tuple)
        } else {
            Self::Socket(cookie)
        }
    }
}

/// What lives at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Requests in flight by endpoint.
    pub in_flight: [u64; MAX_ENDPOINTS],
    /// The sum of the instants they began to be, `CLOCK_MONOTONIC` nanoseconds.
    pub since_ns: [u128; MAX_ENDPOINTS],
    /// Those of them that no process has taken up.
    pub waiting: [u64; MAX_ENDPOINTS],
    /// Streams by endpoint.
    pub streams: [u64; MAX_ENDPOINTS],
    /// Those in flight that stand still, by whom they wait for ([`WaitsFor::ALL`]).
    pub stalled: [[u64; MAX_ENDPOINTS]; WaitsFor::ALL.len()],
    /// Requests whose first line is incomplete.
    pub heads_incomplete: u64,
}

/// An exchange in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// What was asked.
    pub asked: Asked,
    /// The process that took it up, if that is known.
    pub pid: Option<u32>,
    /// Where it is.
    pub step: Step,
    /// Since when, `CLOCK_MONOTONIC` nanoseconds.
    pub since_ns: u64,
}

impl Live {
    /// Another one is in flight at an endpoint, since then.
    pub(super) fn begin(&mut self, endpoint: usize, since_ns: u64, waits: bool) {
        for (counts, by) in [
            (&mut self.in_flight, 1),
            (&mut self.waiting, u64::from(waits)),
        ] {
            if let Some(count) = counts.get_mut(endpoint) {
                *count += by;
            }
        }
        if let Some(sum) = self.since_ns.get_mut(endpoint) {
            *sum += u128::from(since_ns);
        }
    }

    /// One of those that are in flight stands still.
    pub(super) fn stall(&mut self, endpoint: usize, waits_for: WaitsFor) {
        let counts = self.stalled.get_mut(waits_for as usize);
        if let Some(count) = counts.and_then(|counts| counts.get_mut(endpoint)) {
            *count += 1;
        }
    }

    fn add(&mut self, exchange: &Exchange, stalled_after_ns: u64) {
        let Some(endpoint) = exchange.endpoint().map(Endpoint::index) else {
            self.heads_incomplete += u64::from(exchange.is_incomplete());
            return;
        };
        for (counts, holds) in [
            (&mut self.in_flight, exchange.is_in_flight()),
            (&mut self.waiting, exchange.is_waiting()),
            (&mut self.streams, exchange.is_streaming()),
        ] {
            if let Some(count) = counts.get_mut(endpoint) {
                *count += u64::from(holds);
            }
        }
        if let Some(waits_for) = exchange.stalled(stalled_after_ns) {
            self.stall(endpoint, waits_for);
        }
        if let (true, Some(since), Some(sum)) = (
            exchange.is_in_flight(),
            exchange.line_ns(),
            self.since_ns.get_mut(endpoint),
        ) {
            *sum += u128::from(since);
        }
    }
}

/// Every live connection with its exchanges.
pub struct Tracker {
    classifier: Arc<Classifier>,
    connections: HashMap<Key, Connection>,
    /// The kernel's tables bound ours; more can only be what we were not told the end of.
    bound: usize,
    /// Answered in this drain and not complete: most are by the end of it.
    fresh: Vec<u64>,
    /// The last whose clocks were asked for.
    asked_last: u64,
    stalled_after_ns: u64,
    /// It is told who takes requests up.
    sees_pickup: bool,
}

impl Tracker {
    /// A tracker that knows of no connection.
    pub fn new(classifier: Arc<Classifier>) -> Self {
        Self {
            classifier,
            connections: HashMap::new(),
            fresh: Vec::new(),
            asked_last: 0,
            bound: bound(limits::CONNS),
            stalled_after_ns: STALLED_AFTER_NS,
            sees_pickup: true,
        }
    }

    /// Bounded for a kernel side that keeps so many connections.
    pub fn bounded(mut self, connections: u32) -> Self {
        self.bound = bound(connections);
        self
    }

    /// Says of answers that they stand still once nothing moved for so long.
    pub fn stalled_after(mut self, ns: u64) -> Self {
        self.stalled_after_ns = ns;
        self
    }

    /// Whether it is told who takes requests up: else nobody is said to wait for that.
    pub fn sees_pickup(mut self, sees: bool) -> Self {
        self.sees_pickup = sees;
        self
    }

    /// Takes other rules and another time, for what begins from now on and for what stands still.
    pub fn reload(&mut self, classifier: Arc<Classifier>, stalled_after_ns: u64) {
        self.classifier = classifier;
        self.stalled_after_ns = stalled_after_ns;
    }

    /// Takes a kernel event.
    pub fn on_event(&mut self, event: &Event<'_>, facts: &mut Vec<Fact>) {
        let conn = &event.header.conn;
        let cookie = event.header.cookie;
        match event.kind {
            Kind::Request => self.on_request(event, facts),
            Kind::RequestMore => {
                if let Some(connection) = self.connections.get_mut(&Key::of(cookie, conn.tuple)) {
                    connection.on_request_more(event, &self.classifier, facts);
                }
            }
            Kind::Response | Kind::ResponseMore => self.on_response(event, facts),
            Kind::RequestAhead => {
                let key = Key::of(cookie, conn.tuple);
                if self.has_room(&key, facts) {
                    let connection = self.connections.entry(key).or_default();
                    connection.on_request_ahead(event);
                }
            }
            Kind::Adopted => self.on_adopted(cookie, conn.tuple, event.header.at_ns),
            Kind::Closed => self.on_closed(cookie, conn, event.header.at_ns, facts),
            // Of another ring.
            Kind::TftpRequest | Kind::TftpAnswer | Kind::TftpAcknowledged | Kind::TftpError => {}
        }
    }

    /// Takes the kernel's entry of a connection that [`Self::due`] named, as it stands at
    /// `now_ns`.
    pub fn on_entry(&mut self, cookie: u64, entry: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        if let Some(connection) = self.connections.get_mut(&Key::Socket(cookie)) {
            connection.on_entry(entry, now_ns, facts);
        }
    }

    /// The connections whose entries are wanted now: those answered since the last call, or
    /// all that have an exchange under way.
    pub fn due(&mut self, all: bool) -> Vec<u64> {
        let mut due = std::mem::take(&mut self.fresh);
        if all {
            due = self
                .sockets()
                .filter(|cookie| self.is_busy(*cookie))
                .collect();
        }
        due.sort_unstable();
        due.dedup();
        due
    }

    /// Connections whose clocks are wanted: those on which an answer is being sent, so many at
    /// most, in turns.
    pub fn sending(&mut self, most: usize) -> Vec<(u64, Tuple)> {
        let mut all: Vec<(u64, Tuple)> = self
            .connections
            .iter()
            .filter_map(|(key, connection)| match key {
                Key::Socket(cookie) => Some((*cookie, connection.is_sending_between()?)),
                Key::Early(_) => None,
            })
            .collect();
        all.sort_unstable_by_key(|(cookie, _)| *cookie);
        let next = all.partition_point(|(cookie, _)| *cookie <= self.asked_last);
        all.rotate_left(next);
        all.truncate(most);
        if let Some((last, _)) = all.last() {
            self.asked_last = *last;
        }
        all
    }

    /// Takes the clocks of a connection that [`Self::sending`] named, as they were at `at_ns`.
    pub fn on_clocks(&mut self, cookie: u64, at_ns: u64, clocks: Clocks, facts: &mut Vec<Fact>) {
        if let Some(connection) = self.connections.get_mut(&Key::Socket(cookie)) {
            connection.on_clocks(Reading { at_ns, clocks }, facts);
        }
    }

    /// So many segments were sent again on a connection that [`Self::sending`] named.
    pub fn on_retransmits(&mut self, cookie: u64, total: u32) {
        if let Some(connection) = self.connections.get_mut(&Key::Socket(cookie)) {
            connection.on_retransmits(total);
        }
    }

    /// The sockets that are known.
    pub fn sockets(&self) -> impl Iterator<Item = u64> {
        self.connections.keys().filter_map(|key| match key {
            Key::Socket(cookie) => Some(*cookie),
            Key::Early(_) => None,
        })
    }

    /// True while an exchange is under way on this socket.
    pub fn is_busy(&self, cookie: u64) -> bool {
        self.connections
            .get(&Key::Socket(cookie))
            .is_some_and(Connection::is_busy)
    }

    /// Gives up what nothing more will be heard of: sockets that the kernel side has `gone`,
    /// whose end was lost, and early data that no socket claimed.
    pub fn sweep(&mut self, now_ns: u64, gone: &HashSet<u64>, facts: &mut Vec<Fact>) {
        self.connections.retain(|key, connection| {
            let keep = match key {
                Key::Early(_) => now_ns.saturating_sub(connection.last_ns()) < EARLY_DATA_NS,
                // Told of a moment ago, it may not be there yet.
                Key::Socket(cookie) => {
                    !gone.contains(cookie)
                        || now_ns.saturating_sub(connection.last_ns()) < exchange::OVERDUE_NS
                }
            };
            if !keep {
                connection.give_up(Loss::Swept, facts);
            }
            keep
        });
    }

    /// What lives now, by endpoint: derived from the live table, so never negative.
    pub fn live(&self) -> Live {
        let mut live = Live::default();
        for exchange in self.connections.values().flat_map(Connection::exchanges) {
            live.add(exchange, self.stalled_after_ns);
        }
        if !self.sees_pickup {
            live.waiting = Live::default().waiting;
        }
        live
    }

    /// All that are in flight.
    pub fn under_way(&self) -> impl Iterator<Item = UnderWay> {
        let exchanges = self.connections.values().flat_map(Connection::exchanges);
        exchanges.filter_map(Exchange::under_way).map(|exchange| {
            let step = self.known(exchange.step);
            UnderWay { step, ..exchange }
        })
    }

    /// A request may have been taken up unseen.
    fn known(&self, step: Step) -> Step {
        if step == Step::Waiting && !self.sees_pickup {
            Step::Handling
        } else {
            step
        }
    }

    /// How many connections are known at each port of a server.
    pub fn ports(&self) -> BTreeMap<u16, u64> {
        let mut ports = BTreeMap::new();
        for connection in self.connections.values() {
            *ports.entry(connection.port()).or_default() += 1;
        }
        ports
    }

    /// How many connections are known.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// How many can be.
    pub fn limit(&self) -> usize {
        self.bound
    }

    fn on_request(&mut self, event: &Event<'_>, facts: &mut Vec<Fact>) {
        let key = Key::of(event.header.cookie, event.header.conn.tuple);
        if let Key::Early(_) = key {
            // Another connection's, with the same addresses and ports.
            if let Some(displaced) = self.connections.remove(&key) {
                displaced.displaced(facts);
            }
        }
        if event.header.conn.request.turn > 1 {
            let header = &event.header;
            self.claim_early(header.cookie, header.conn.tuple, header.at_ns);
        }
        if self.has_room(&key, facts) {
            let connection = self.connections.entry(key).or_default();
            connection.on_request(event, &self.classifier, facts);
        }
    }

    /// True if the connection is known, or may be new; what there is no room for is counted.
    fn has_room(&self, key: &Key, facts: &mut Vec<Fact>) -> bool {
        let room = self.connections.len() < self.bound || self.connections.contains_key(key);
        if !room {
            facts.push(Fact::Lost(Loss::TableFull));
        }
        room
    }

    fn on_response(&mut self, event: &Event<'_>, facts: &mut Vec<Fact>) {
        let cookie = event.header.cookie;
        self.claim_early(cookie, event.header.conn.tuple, event.header.at_ns);
        let Some(connection) = self.connections.get_mut(&Key::Socket(cookie)) else {
            return;
        };
        connection.on_response(event, facts);
        if connection.is_in_flight() {
            self.fresh.push(cookie);
        }
    }

    /// What ADOPTED would have told, had it not been lost.
    fn claim_early(&mut self, cookie: u64, tuple: Tuple, now_ns: u64) {
        if cookie != 0 && !self.connections.contains_key(&Key::Socket(cookie)) {
            self.on_adopted(cookie, tuple, now_ns);
        }
    }

    fn on_adopted(&mut self, cookie: u64, tuple: Tuple, now_ns: u64) {
        if let Some(mut connection) = self.connections.remove(&Key::Early(tuple)) {
            connection.adopted(cookie, now_ns);
            self.connections.insert(Key::Socket(cookie), connection);
        }
    }

    fn on_closed(&mut self, cookie: u64, conn: &Conn, now_ns: u64, facts: &mut Vec<Fact>) {
        self.claim_early(cookie, conn.tuple, now_ns);
        let Some(mut connection) = self.connections.remove(&Key::of(cookie, conn.tuple)) else {
            return;
        };
        if cookie != 0 || conn.request.flags != 0 {
            connection.on_closed(conn, now_ns, facts);
        } else {
            connection.displaced(facts);
        }
    }
}

fn bound(connections: u32) -> usize {
    connections as usize + limits::PENDING as usize
}

#[cfg(test)]
mod looked_at;
#[cfg(test)]
mod overload;
#[cfg(test)]
mod stalls;
#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the facts that it is about"
)]
mod tests;
#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the facts that it is about"
)]
mod wire;
