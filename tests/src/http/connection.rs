//! A capture's segments by their connections.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use super::{
    flow::{Flow, Piece},
    tshark::{Dissected, Segment, Segments},
};

/// All that a capture has of one connection.
pub(super) struct Connection {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// The capture has a SYN.
    pub(super) is_from_start: bool,
    pub(super) requests: Flow,
    pub(super) responses: Flow,
    /// In their order.
    pub(super) events: Vec<Event>,
    /// Its bytes came once each, in their order.
    pub(super) is_in_order: bool,
    /// What tshark dissects of segments that come for the first time.
    pub(super) dissected: Dissected,
    /// Whoever still had something to send has given up.
    pub(super) is_abandoned: bool,
    last: Duration,
}

/// Somebody closes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    ClientFin,
    /// Behind the last byte.
    ServerFin(u64),
    ClientReset,
    ServerReset,
}

/// Linux lets no more time pass between two attempts (`TCP_RTO_MAX`).
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// In the order of their first segments.
pub(super) fn sort(segments: Segments, ports: &[u16]) -> Vec<Connection> {
    let Segments { segments, end } = segments;
    let mut connections = BTreeMap::<u32, Connection>::new();
    for segment in segments {
        let new = || Connection::new(&segment, ports);
        connections
            .entry(segment.stream)
            .or_insert_with(new)
            .add(segment);
    }
    let mut connections: Vec<Connection> = connections.into_values().collect();
    // The same ports again: both must have forgotten the connection before.
    let mut newest = HashMap::new();
    for (place, connection) in connections.iter().enumerate() {
        newest.insert((connection.client, connection.server), place);
    }
    for (place, connection) in connections.iter_mut().enumerate() {
        let is_superseded = newest[&(connection.client, connection.server)] != place;
        connection.is_abandoned = is_superseded || connection.has_given_up(end);
    }
    connections
}

impl Connection {
    fn new(segment: &Segment, ports: &[u16]) -> Self {
        let is_from_client = match (segment.flags.syn, segment.ack) {
            (true, ack) => ack.is_none(),
            (false, _) => ports.contains(&segment.to.port()),
        };
        let (client, server) = match is_from_client {
            true => (segment.from, segment.to),
            false => (segment.to, segment.from),
        };
        Self {
            client,
            server,
            is_from_start: segment.flags.syn,
            requests: Flow::new(),
            responses: Flow::new(),
            events: Vec::new(),
            is_in_order: true,
            dissected: Dissected::default(),
            is_abandoned: false,
            last: segment.time,
        }
    }

    fn add(&mut self, segment: Segment) {
        let is_from_client = segment.from == self.client;
        let (flow, other) = match is_from_client {
            true => (&mut self.requests, &mut self.responses),
            false => (&mut self.responses, &mut self.requests),
        };
        self.last = segment.time;
        // A reset may acknowledge the last bytes; its own number is whatever the other one asked.
        let ack = segment.ack.map(|ack| other.position(ack));
        if let Some(ack) = ack {
            other.acknowledge(ack);
        }
        if segment.flags.reset {
            self.events.push(match is_from_client {
                true => Event::ClientReset,
                false => Event::ServerReset,
            });
            return;
        }
        // A SYN takes a number; a FIN behind it and behind its payload takes another.
        let at = flow.position(segment.seq) + u64::from(segment.flags.syn);
        if segment.len > 0 && at < flow.sent() {
            self.is_in_order = false;
        }
        if flow.piece(at).is_none() {
            let Dissected { requests, statuses } = segment.dissected;
            self.dissected.requests.extend(requests);
            self.dissected.statuses.extend(statuses);
        }
        let piece = Piece::new(segment.payload, segment.time, ack);
        flow.take(at, segment.len, piece);
        if segment.flags.fin && flow.fin.is_none() {
            let behind = at + segment.len;
            flow.fin = Some(behind);
            self.events.push(match is_from_client {
                true => Event::ClientFin,
                false => Event::ServerFin(behind),
            });
        }
    }

    /// What was not acknowledged would have been sent again since.
    fn has_given_up(&self, end: Duration) -> bool {
        let flows = [&self.requests, &self.responses];
        let is_waiting = flows.iter().any(|flow| flow.acked() < flow.sent());
        is_waiting && end.saturating_sub(self.last) > LONGEST_PAUSE
    }
}
