//! A model of the kernel side: a connection that sends and answers, and tells of it.

use std::sync::{Arc, LazyLock};

use observer_common::{
    conn::{Conn, PROTOCOL_HTTP},
    event::{self as wire, Header},
    flow::{FLAG_PIPELINED, Flow},
};

use super::Tracker;
use crate::model::{
    classify::Classifier,
    event::Event,
    fact::{Fact, Outcome},
    http::Status,
    limiter::Clocks,
    loss::Loss,
    unread::Unread,
};

/// A client's window that closes nothing.
const OPEN: u32 = 500;

/// One connection as the kernel would keep and tell it.
pub(super) struct Wire {
    /// Events are lost while it is set: the ring is full.
    pub(super) full: bool,
    /// The next event is told behind the one after it.
    pub(super) swap_next: bool,
    held: Option<Vec<u8>>,
    last: Vec<u8>,
    pub(super) conn: Conn,
    pub(super) cookie: u64,
    pub(super) now: u64,
    pub(super) tracker: Tracker,
    pub(super) facts: Vec<Fact>,
    clocks: Option<(u64, u64, Clocks)>,
}

impl Wire {
    pub(super) fn new() -> Self {
        // Compiled once for all tests.
        static CLASSIFIER: LazyLock<Arc<Classifier>> =
            LazyLock::new(|| Arc::new(Classifier::dragonfly()));
        let mut conn = Conn::default();
        conn.tuple.client_port = 40_000;
        conn.ack.window = OPEN;
        conn.protocol = PROTOCOL_HTTP;
        Self {
            full: false,
            swap_next: false,
            held: None,
            last: Vec::new(),
            conn,
            cookie: 7,
            now: 0,
            tracker: Tracker::new(Arc::clone(&CLASSIFIER)),
            facts: Vec::new(),
            clocks: None,
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
        self.last.clone_from(&record);
        if std::mem::take(&mut self.swap_next) {
            self.held = Some(record);
            return;
        }
        self.arrive(&record);
        if let Some(held) = self.held.take() {
            self.arrive(&held);
        }
    }

    /// The event arrives a second time.
    pub(super) fn repeat(&mut self) {
        if !self.last.is_empty() {
            let last = self.last.clone();
            self.arrive(&last);
        }
    }

    fn arrive(&mut self, record: &[u8]) {
        let event = Event::decode(record).expect("one of ours");
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
        self.keep_latest(text);
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

    /// Requests that do not wait for each other; the kernel side frames the answers.
    pub(super) fn pipeline(&mut self, count: usize) -> &mut Self {
        const GET: &str = "GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nHost: a\r\n\r\n";
        self.conn.request.flags |= FLAG_PIPELINED;
        for _ in 0..count {
            self.now += 1_000;
            let flow = &mut self.conn.request;
            flow.begin(flow.turn + 1, flow.next_seq, self.now);
            Self::count(flow, GET.len(), self.now);
            self.tell(wire::REQUEST, 0, GET.as_bytes());
        }
        self
    }

    /// The server answers the oldest request that it has not answered.
    pub(super) fn answer_next(&mut self, head: &str) -> &mut Self {
        if !self.conn.unanswered() {
            return self;
        }
        self.now += 1_000;
        let flow = &mut self.conn.response;
        flow.begin(flow.turn + 1, flow.next_seq, self.now);
        Self::count(flow, head.len(), self.now);
        self.tell(wire::RESPONSE, 0, head.as_bytes());
        self
    }

    /// The body's last bytes, whose end the kernel side tells where it frames the answers.
    pub(super) fn finish(&mut self, len: usize) -> &mut Self {
        if self.conn.response.turn == 0 {
            return self;
        }
        self.body(len);
        if self.conn.request.flags & FLAG_PIPELINED != 0 {
            self.tell(wire::RESPONSE_MORE, 40, &[]);
        }
        self
    }

    /// The server sends body bytes, whose latest the entry keeps.
    pub(super) fn send(&mut self, text: &str) -> &mut Self {
        if !text.is_empty() {
            self.body(text.len());
        }
        self.keep_latest(text);
        self
    }

    fn keep_latest(&mut self, text: &str) {
        for byte in text.bytes() {
            self.conn.response.word = self.conn.response.word << 8 | u64::from(byte);
        }
    }

    /// The client acknowledges all that was sent.
    pub(super) fn acknowledge(&mut self) -> &mut Self {
        self.now += 1_000;
        self.conn.ack.seq = self.conn.response.next_seq;
        self.conn.ack.all_ns = self.now;
        self
    }

    /// The client says whether it takes more; nothing else changes.
    pub(super) fn window(&mut self, is_open: bool) -> &mut Self {
        self.conn.ack.window = if is_open { OPEN } else { 0 };
        self
    }

    /// Another connection takes its place.
    pub(super) fn reopen(&mut self) {
        self.conn = Conn::default();
        self.conn.ack.window = OPEN;
        self.cookie += 1;
        self.last.clear();
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
            if cookie != self.cookie {
                continue;
            }
            self.tracker
                .on_entry(cookie, &self.conn, self.now, &mut self.facts);
        }
        self
    }

    /// User space looks, takes the clocks that were asked for when it last did, and asks anew.
    pub(super) fn read_clocks(&mut self) -> &mut Self {
        self.look();
        if let Some((cookie, at_ns, clocks)) = self.clocks.take() {
            self.tracker
                .on_clocks(cookie, at_ns, clocks, &mut self.facts);
        }
        self.now += 1_000;
        let busy = self.now / 2;
        let clocks = Clocks {
            busy,
            client_window: busy / 2,
            send_buffer: busy / 4,
        };
        let sending = self.tracker.sending(1);
        self.clocks = sending
            .first()
            .map(|(cookie, _)| (*cookie, self.now, clocks));
        self
    }

    /// Microseconds of transfer told to have waited for something; of those that ended, as they
    /// say; and their transfers'.
    pub(super) fn limited(&self) -> [u64; 3] {
        let mut sums = [0; 3];
        for fact in &self.facts {
            match fact {
                Fact::Limited { limited, .. } => sums[0] += limited.sum(),
                Fact::Ended {
                    sampled_ns, phases, ..
                } => {
                    sums[1] += sampled_ns;
                    sums[2] += phases.transfer.unwrap_or(0);
                }
                _ => {}
            }
        }
        sums.map(|ns| ns / 1_000)
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
                phases,
                outcome,
                ..
            } => Some((
                status.map(Status::code),
                phases.duration() / 1_000,
                *outcome,
            )),
            _ => None,
        };
        self.facts.iter().filter_map(ended).collect()
    }

    /// Payload told to have moved: to the server, to the client.
    pub(super) fn moved(&self) -> (u64, u64) {
        self.facts
            .iter()
            .fold((0, 0), |(up, down), fact| match fact {
                Fact::Moved {
                    request_bytes,
                    response_bytes,
                    ..
                } => (up + request_bytes, down + response_bytes),
                _ => (up, down),
            })
    }

    /// How many were delivered after their end, and how many were not.
    pub(super) fn delivered(&self) -> (usize, usize) {
        self.facts
            .iter()
            .fold((0, 0), |(yes, no), fact| match fact {
                Fact::Delivered { .. } => (yes + 1, no),
                Fact::Undelivered { .. } => (yes, no + 1),
                _ => (yes, no),
            })
    }

    /// How many became streams.
    pub(super) fn streamed(&self) -> usize {
        let streams = |fact: &&Fact| matches!(fact, Fact::Streaming { .. });
        self.facts.iter().filter(streams).count()
    }

    /// What could not be read.
    pub(super) fn unread(&self) -> Vec<Unread> {
        let unread = |fact: &Fact| match fact {
            Fact::Unread(unread) => Some(*unread),
            _ => None,
        };
        self.facts.iter().filter_map(unread).collect()
    }

    pub(super) fn lost(&self) -> Vec<Loss> {
        let lost = |fact: &Fact| match fact {
            Fact::Lost(loss) | Fact::Dropped { loss, .. } => Some(*loss),
            _ => None,
        };
        self.facts.iter().filter_map(lost).collect()
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.tracker.live().in_flight.iter().sum()
    }
}
