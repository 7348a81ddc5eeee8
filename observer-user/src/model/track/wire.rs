//! A model of the kernel side: a connection that sends and answers, and tells of it.

use std::sync::Arc;

use observer_common::{
    conn::Conn,
    event::{self as wire, Header},
    flow::Flow,
};

use super::Tracker;
use crate::model::{
    classify::Classifier,
    event::Event,
    fact::{Fact, Outcome},
    http::Status,
    loss::Loss,
};

/// One connection as the kernel would keep and tell it.
pub(super) struct Wire {
    /// Events are lost while it is set: the ring is full.
    pub(super) full: bool,
    pub(super) conn: Conn,
    pub(super) cookie: u64,
    pub(super) now: u64,
    pub(super) tracker: Tracker,
    pub(super) facts: Vec<Fact>,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self::with(Classifier::dragonfly())
    }

    pub(super) fn with(classifier: Classifier) -> Self {
        let mut conn = Conn::default();
        conn.tuple.client_port = 40_000;
        Self {
            full: false,
            conn,
            cookie: 7,
            now: 0,
            tracker: Tracker::new(Arc::new(classifier)),
            facts: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, kind: u8, offset: u64, data: &[u8]) {
        if self.full {
            return;
        }
        let header = Header {
            cookie: self.cookie,
            at_ns: self.now,
            offset: u32::try_from(offset).expect("small"),
            len: u16::try_from(data.len()).expect("small"),
            kind,
            conn: self.conn,
            ..Header::default()
        };
        let mut record = bytemuck::bytes_of(&header).to_vec();
        record.extend_from_slice(data);
        let event = Event::decode(&record).expect("one of ours");
        self.tracker.on_event(&event, &mut self.facts);
    }

    pub(super) fn count(flow: &mut Flow, len: usize, now: u64) {
        flow.count(u32::try_from(len).expect("small"), now);
    }

    /// The client speaks: a new turn if the last one was answered.
    pub(super) fn ask(&mut self, text: &str) -> &mut Self {
        self.now += 1_000;
        let begins = !self.conn.unanswered();
        let flow = &mut self.conn.request;
        if begins {
            flow.begin(flow.turn + 1, flow.next_seq, self.now);
        }
        let offset = flow.bytes;
        Self::count(flow, text.len(), self.now);
        self.tell(
            if begins {
                wire::REQUEST
            } else {
                wire::REQUEST_MORE
            },
            offset,
            text.as_bytes(),
        );
        self
    }

    /// The server speaks; only what belongs to a head is told.
    pub(super) fn answer(&mut self, text: &str) -> &mut Self {
        self.now += 1_000;
        let begins = self.conn.unanswered();
        let turn = self.conn.request.turn;
        let flow = &mut self.conn.response;
        if begins {
            flow.begin(turn, flow.next_seq, self.now);
        }
        let offset = flow.bytes;
        Self::count(flow, text.len(), self.now);
        self.tell(
            if begins {
                wire::RESPONSE
            } else {
                wire::RESPONSE_MORE
            },
            offset,
            text.as_bytes(),
        );
        self
    }

    /// The server sends body bytes that no event tells of.
    pub(super) fn body(&mut self, len: usize) -> &mut Self {
        self.now += 1_000;
        Self::count(&mut self.conn.response, len, self.now);
        self
    }

    /// User space looks at the kernel's entry.
    pub(super) fn look(&mut self) -> &mut Self {
        for cookie in self.tracker.due(true) {
            assert_eq!(cookie, self.cookie);
            self.tracker
                .on_entry(cookie, &self.conn, self.now, &mut self.facts);
        }
        self
    }

    pub(super) fn close(&mut self, client: u8, server: u8) -> &mut Self {
        self.now += 1_000;
        self.conn.request.flags |= client;
        self.conn.response.flags |= server;
        self.tell(wire::CLOSED, 0, &[]);
        self
    }

    /// Status, duration in microseconds, outcome of each that ended.
    pub(super) fn ended(&self) -> Vec<(Option<u16>, u64, Outcome)> {
        let ended = |fact: &Fact| match fact {
            Fact::Ended {
                status,
                duration_ns,
                outcome,
                ..
            } => Some((status.map(Status::code), duration_ns / 1_000, *outcome)),
            Fact::Begun { .. } | Fact::Answered { .. } | Fact::Lost(_) => None,
        };
        self.facts.iter().filter_map(ended).collect()
    }

    pub(super) fn lost(&self) -> Vec<Loss> {
        let lost = |fact: &Fact| match fact {
            Fact::Lost(loss) => Some(*loss),
            Fact::Begun { .. } | Fact::Answered { .. } | Fact::Ended { .. } => None,
        };
        self.facts.iter().filter_map(lost).collect()
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.tracker.in_flight().iter().sum()
    }
}
