//! HTTP exchanges, as the observer would tell of them.

use std::{
    collections::BTreeMap,
    fmt,
    net::{Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use observer_common::conn::Tuple;
use observer_user::model::{
    classify::{Classifier, Proto, Subject},
    event::Event,
    fact::{Asked, ExchangeId, Fact, Outcome, Side},
    http::{Method, Status},
    track::Tracker,
};

use super::{Ports, capture, host::Host};
use crate::http;

/// As often as the daemon drains the ring, and looks at all that is under way.
const DRAIN_NS: u64 = 10_000_000;
const LOOK_NS: u64 = 1_000_000_000;

/// What one exchange came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    client: SocketAddr,
    /// Which of its connection.
    number: u32,
    /// As in the label.
    method: String,
    endpoint: String,
    status: Option<u16>,
    /// Of the response, its head included.
    bytes: u64,
    outcome: &'static str,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            number,
            method,
            endpoint,
            status,
            bytes,
            outcome,
        } = self;
        let status = status.map_or("-".to_owned(), |code| code.to_string());
        write!(
            f,
            "{client} #{number} {method} {endpoint} {status} bytes={bytes} {outcome}"
        )
    }
}

impl super::Told for Told {
    fn client(&self) -> SocketAddr {
        self.client
    }
}

const IN_FLIGHT: &str = "in flight";
const COMPLETE: &str = "complete";

fn aborted(side: Side) -> &'static str {
    match side {
        Side::Client => "aborted by client",
        Side::Server => "aborted by server",
        Side::Timeout => "timeout",
    }
}

/// What tshark tells.
pub(super) fn truth(capture: &Path, ports: &Ports) -> Result<Vec<Told>> {
    let classifier = Classifier::generic();
    let exchanges = http::exchanges(capture, &ports.http).context("tshark")?;
    Ok(exchanges
        .iter()
        .map(|exchange| dissected(exchange, &classifier))
        .collect())
}

fn dissected(exchange: &http::Exchange, classifier: &Classifier) -> Told {
    let method = Method::parse(&exchange.method);
    let class = classifier.classify(Subject {
        proto: Proto::Http,
        access: method.access(),
        target: exchange.target.as_bytes(),
    });
    let outcome = match exchange.outcome {
        http::Outcome::Complete => COMPLETE,
        http::Outcome::Aborted(http::Side::Client) => aborted(Side::Client),
        http::Outcome::Aborted(http::Side::Server) => aborted(Side::Server),
        http::Outcome::Aborted(http::Side::Timeout) => aborted(Side::Timeout),
        http::Outcome::InFlight => IN_FLIGHT,
    };
    let told = Told {
        client: exchange.client,
        number: exchange.number,
        method: method.name().to_owned(),
        endpoint: classifier.endpoint_name(class.endpoint).to_owned(),
        status: exchange.status,
        bytes: exchange.bytes,
        outcome,
    };
    told.final_only()
}

impl Told {
    /// Of what is not over, no numbers.
    fn final_only(self) -> Self {
        if self.outcome != IN_FLIGHT {
            return self;
        }
        Self {
            status: None,
            bytes: 0,
            ..self
        }
    }
}

/// What the observer would say, in the order of requests.
pub(super) fn ours(path: &Path, ports: &Ports) -> Result<Vec<Told>> {
    let mut observer = Observer::new(ports);
    capture::read(path, |packet| observer.take(packet))
        .with_context(|| format!("read {}", path.display()))?;
    Ok(observer.finish())
}

struct Observer {
    host: Host,
    classifier: Arc<Classifier>,
    tracker: Tracker,
    facts: Vec<Fact>,
    now_ns: u64,
    drained_ns: u64,
    looked_ns: u64,
}

impl Observer {
    fn new(ports: &Ports) -> Self {
        let classifier = Arc::new(Classifier::generic());
        Self {
            host: Host::new(&ports.http, &[]),
            tracker: Tracker::new(Arc::clone(&classifier)),
            classifier,
            facts: Vec::new(),
            now_ns: 0,
            drained_ns: 0,
            looked_ns: 0,
        }
    }

    fn take(&mut self, packet: &capture::Packet) {
        if packet.transport == capture::Transport::Udp {
            return;
        }
        self.now_ns = self.host.at(packet);
        if self.now_ns >= self.drained_ns + DRAIN_NS {
            self.drain();
        }
        if self.now_ns >= self.looked_ns + LOOK_NS {
            self.looked_ns = self.now_ns;
            self.follow(true);
        }
        self.host.take(packet);
    }

    fn drain(&mut self) {
        self.drained_ns = self.now_ns;
        for record in self.host.kernel.events() {
            if let Some(event) = Event::decode(&record) {
                self.tracker.on_event(&event, &mut self.facts);
            }
        }
        self.follow(false);
    }

    fn follow(&mut self, all: bool) {
        for cookie in self.tracker.due(all) {
            if let Some(entry) = self.host.kernel.conn(cookie) {
                self.tracker
                    .on_entry(cookie, &entry, self.now_ns, &mut self.facts);
            }
        }
    }

    fn finish(mut self) -> Vec<Told> {
        self.drain();
        self.now_ns += LOOK_NS;
        self.follow(true);
        let mut exchanges = Exchanges::default();
        for fact in &self.facts {
            exchanges.on_fact(fact, &self.classifier);
        }
        exchanges.0.into_values().map(Told::final_only).collect()
    }
}

/// By when they began, and which of their connection they are.
#[derive(Default)]
struct Exchanges(BTreeMap<(u64, Tuple, u32), Told>);

impl Exchanges {
    fn on_fact(&mut self, fact: &Fact, classifier: &Classifier) {
        match fact {
            Fact::Begun { id, asked } => {
                self.0
                    .insert(key(*id, asked), begun(*id, asked, classifier));
            }
            Fact::Ended {
                id,
                asked,
                status,
                response_bytes,
                outcome,
                ..
            } => {
                if let Some(told) = self.0.get_mut(&key(*id, asked)) {
                    told.status = status.map(Status::code);
                    told.bytes = *response_bytes;
                    if let Outcome::Aborted(side) = outcome {
                        told.outcome = aborted(*side);
                    }
                }
            }
            Fact::Streaming { id, asked, .. } => {
                if let Some(told) = self.0.get_mut(&key(*id, asked)) {
                    told.outcome = "stream";
                }
            }
            Fact::Delivered { asked, .. } => self.settle(asked, COMPLETE),
            Fact::Undelivered { asked, side } => self.settle(asked, aborted(*side)),
            Fact::Discarded { asked } => self.settle(asked, "discarded"),
            Fact::Displaced { asked } => self.settle(asked, "displaced"),
            Fact::Dropped { asked, loss } => self.settle(asked, loss.name()),
            Fact::Answered { .. }
            | Fact::Limited { .. }
            | Fact::Moved { .. }
            | Fact::Lost(_)
            | Fact::Named { .. }
            | Fact::Unread(_) => {}
        }
    }

    /// The first of those that are asked for alike.
    fn settle(&mut self, asked: &Asked, outcome: &'static str) {
        let alike = (asked.begun_ns, asked.tuple, 0)..=(asked.begun_ns, asked.tuple, u32::MAX);
        let mut open = self.0.range_mut(alike).map(|(_, told)| told);
        if let Some(told) = open.find(|told| told.outcome == IN_FLIGHT) {
            told.outcome = outcome;
        }
    }
}

fn key(id: ExchangeId, asked: &Asked) -> (u64, Tuple, u32) {
    (asked.begun_ns, asked.tuple, id.turn)
}

fn begun(id: ExchangeId, asked: &Asked, classifier: &Classifier) -> Told {
    let address = Ipv6Addr::from(asked.tuple.client).to_canonical();
    Told {
        client: SocketAddr::new(address, asked.tuple.client_port),
        number: id.turn,
        method: asked.method.name().to_owned(),
        endpoint: classifier.endpoint_name(asked.class.endpoint).to_owned(),
        status: None,
        bytes: 0,
        outcome: IN_FLIGHT,
    }
}
