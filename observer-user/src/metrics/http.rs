//! Requests in flight, ended, and how long they took.

use std::sync::{Arc, atomic::AtomicU64};

use foldhash::{HashMap, HashMapExt as _};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};

use super::{
    catalog::{Catalog, Declaration},
    concurrency::{Concurrency, ConcurrencyFamilies},
    family::Family,
    seconds,
    stalled::{Stalled, StalledFamily},
    whole,
};
use crate::model::{
    fact::{Asked, Fact, Outcome, Phases, Side},
    http::{Method, Status},
    in_flight::InFlight,
    limiter::{Limited, Limiter},
    stall::WaitsFor,
    track::Live,
};

/// Seconds: from a boot script in memory to an image over a slow link.
const DURATION_BUCKETS: [f64; 20] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0, 600.0, 1800.0, 3600.0,
];

/// Seconds: from a handler that answers from memory to an image over a slow link.
const PHASE_BUCKETS: [f64; 13] = [
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 1800.0,
];

/// What boot clients are answered, whether or not it has happened yet: a counter that begins
/// at its first event hides it from `rate()`.
const EXPECTED: [(Method, Option<u16>); 11] = [
    (Method::Get, Some(200)),
    (Method::Get, Some(206)),
    (Method::Get, Some(304)),
    (Method::Get, Some(404)),
    (Method::Get, Some(500)),
    (Method::Get, Some(503)),
    (Method::Get, None),
    (Method::Head, Some(200)),
    (Method::Head, Some(404)),
    (Method::Post, Some(200)),
    (Method::Post, Some(500)),
];

/// Pairs of method and status of one endpoint: more than servers of boot files send, and so few
/// that hostile ones do not crowd out the rest.
const PAIRS: usize = 48;
/// Where the requests of all further pairs are; its place is kept.
const OVERFLOW: Pair = (Method::Other, None);

const PHASES: usize = 5;

type Pair = (Method, Option<Status>);
type Seconds = Counter<f64, AtomicU64>;

/// The HTTP families, and their handles: a label set is looked up once.
pub struct HttpMetrics {
    endpoints: Vec<EndpointMetrics>,
    families: Families,
    requests: Family<Counter, 3>,
    overflow: Counter,
    heads_incomplete: Gauge,
    discarded: Counter,
    unsampled: Seconds,
}

struct EndpointMetrics {
    name: Arc<str>,
    concurrency: Concurrency,
    stalled: Stalled,
    streams: Gauge,
    duration: Histogram,
    phases: PhaseMetrics,
    request_bytes: Counter,
    response_bytes: Counter,
    limited: [Seconds; Limiter::ALL.len()],
    aborted: HashMap<Side, Counter>,
    requests: HashMap<Pair, Counter>,
}

struct PhaseMetrics {
    queue: Histogram,
    receive: Histogram,
    handle: Histogram,
    transfer: Histogram,
    drain: Histogram,
}

/// The families by which handles are made.
struct Families {
    concurrency: ConcurrencyFamilies,
    stalled: StalledFamily,
    streams: Family<Gauge, 1>,
    duration: Family<Histogram, 1>,
    phases: Family<Histogram, 2>,
    request_bytes: Family<Counter, 1>,
    response_bytes: Family<Counter, 1>,
    limited: Family<Seconds, 2>,
    aborted: Family<Counter, 2>,
}

impl Families {
    fn declare(catalog: &mut Catalog, endpoints: usize) -> Self {
        let by_endpoint = |name, help| Declaration {
            name,
            help,
            labels: ["endpoint"],
            sets: endpoints,
        };
        let by_endpoint_and = |label, values: usize, name, help| Declaration {
            name,
            help,
            labels: ["endpoint", label],
            sets: endpoints * values,
        };
        let concurrency = ConcurrencyFamilies::declare(
            catalog,
            endpoints,
            [
                (
                    "requests_in_flight",
                    "Requests whose request line arrived and whose last response byte is not sent \
                     yet",
                ),
                (
                    "requests_in_flight_peak",
                    "The most requests in flight at one time in the last 60 s; peaks of several \
                     endpoints are of different instants: never sum them",
                ),
                (
                    "requests_in_flight_seconds",
                    "Time that requests were in flight, each its own, up to the instant of the \
                     scrape; its rate is the mean concurrency",
                ),
                (
                    "requests_waiting",
                    "Requests in flight that no server process has taken from their socket",
                ),
            ],
        );
        let stalled = StalledFamily::declare(
            catalog,
            endpoints,
            &WaitsFor::HTTP,
            "Requests in flight that were answered in part and of which nothing was acknowledged \
             for 5 s (--stalled-after): the server sends no more, or the client's window is closed, \
             or what was sent is not acknowledged; streams are never among them",
        );
        Self {
            concurrency,
            stalled,
            streams: catalog.gauge(by_endpoint(
                "streams_in_flight",
                "Server-sent events and upgraded connections; they leave the requests in flight at \
                 their head and have no duration",
            )),
            duration: catalog.histogram(
                by_endpoint(
                    "request_duration_seconds",
                    "First request byte received to last response byte sent, measured at the \
                     server's host; in-server middleware stops its clock earlier",
                ),
                &DURATION_BUCKETS,
            ),
            phases: catalog.histogram(
                by_endpoint_and(
                    "phase",
                    PHASES,
                    "request_phase_seconds",
                    "Where the time went: queue (arrived, not taken up), receive (arriving), handle \
                     (server at work), transfer (being sent), drain (last byte sent to its \
                     acknowledgement); without drain they add up to the duration",
                ),
                &PHASE_BUCKETS,
            ),
            request_bytes: catalog.counter(by_endpoint(
                "request_bytes",
                "Request payload behind the heads that the server's host received, each byte once",
            )),
            response_bytes: catalog.counter(by_endpoint(
                "response_bytes",
                "Response payload behind the heads that clients acknowledged, each byte once; chunk \
                 framing included",
            )),
            limited: catalog.seconds(by_endpoint_and(
                "limiter",
                Limiter::ALL.len(),
                "transfer_limited_seconds",
                "What responses waited for while they were being sent: the server (all it wrote was \
                 acknowledged), its send_buffer, the client_window (closed), or the path (the \
                 network, also one that is merely busy). Of looks once a second; with \
                 pxe_observer_unsampled_transfer_seconds_total it is the transfer phase",
            )),
            aborted: catalog.counter(by_endpoint_and(
                "side",
                Side::ALL.len(),
                "requests_aborted",
                "Requests cut short, by who closed or reset first (timeout: neither did); a subset of \
                 http_requests_total",
            )),
        }
    }

    fn of(&self, name: &Arc<str>) -> EndpointMetrics {
        let endpoint = || name.to_string();
        let phase = |phase: &str| self.phases.with([endpoint(), phase.to_owned()]);
        let side = |side: Side| {
            let counter = self.aborted.with([endpoint(), side.name().to_owned()]);
            (side, counter)
        };
        EndpointMetrics {
            name: Arc::clone(name),
            concurrency: self.concurrency.of(name),
            stalled: self.stalled.of(name),
            streams: self.streams.with([endpoint()]),
            duration: self.duration.with([endpoint()]),
            phases: PhaseMetrics {
                queue: phase("queue"),
                receive: phase("receive"),
                handle: phase("handle"),
                transfer: phase("transfer"),
                drain: phase("drain"),
            },
            request_bytes: self.request_bytes.with([endpoint()]),
            response_bytes: self.response_bytes.with([endpoint()]),
            limited: Limiter::ALL.map(|limiter| {
                let labels = [endpoint(), limiter.name().to_owned()];
                self.limited.with(labels)
            }),
            aborted: Side::ALL.map(side).into_iter().collect(),
            requests: HashMap::new(),
        }
    }
}

impl HttpMetrics {
    /// Declares the families and creates what is expected of each endpoint. `overflow` counts the
    /// requests that have no pair of their own.
    pub(super) fn declare(
        catalog: &mut Catalog,
        endpoints: &[Arc<str>],
        overflow: Counter,
    ) -> Self {
        let catalog = catalog.with_prefix("http_");
        let families = Families::declare(catalog, endpoints.len());
        let requests = catalog.counter(Declaration {
            name: "requests",
            help: "Requests that ended, by the status received on the wire (none: no status line was \
                   sent); aborted ones are included, streams are counted at their head",
            labels: ["endpoint", "method", "status"],
            sets: endpoints.len() * PAIRS,
        });
        let heads_incomplete = catalog.gauge(Declaration {
            name: "heads_incomplete",
            help: "Connections whose request line is not complete yet",
            labels: [],
            sets: 1,
        });
        let discarded = catalog.counter(Declaration {
            name: "requests_discarded",
            help: "Requests sent behind one whose answer closed the connection: never served, and in \
                   no other family",
            labels: [],
            sets: 1,
        });
        let unsampled = catalog.with_prefix("pxe_observer_").seconds(Declaration {
            name: "unsampled_transfer_seconds",
            help: "Time that responses were being sent in which nothing was read of what they waited \
                   for: before the first look at a connection that is used again, and after the last",
            labels: [],
            sets: 1,
        });
        let mut metrics = Self {
            endpoints: Vec::new(),
            families,
            requests,
            overflow,
            heads_incomplete: heads_incomplete.only(),
            discarded: discarded.only(),
            unsampled: unsampled.only(),
        };
        metrics.extend(endpoints);
        metrics
    }

    /// These are the endpoints from now on, of which the first are known.
    pub(super) fn extend(&mut self, endpoints: &[Arc<str>]) {
        for name in endpoints.iter().skip(self.endpoints.len()) {
            let mut endpoint = self.families.of(name);
            for (method, code) in EXPECTED {
                endpoint.pair(&self.requests, (method, code.and_then(Status::new)));
            }
            self.endpoints.push(endpoint);
        }
    }

    /// Counts a fact.
    pub fn record(&mut self, fact: &Fact) {
        let Self {
            endpoints: all,
            requests,
            overflow,
            unsampled,
            ..
        } = self;
        match fact {
            Fact::Ended {
                asked,
                status,
                phases,
                outcome,
                sampled_ns,
                ..
            } => {
                if let Some(endpoint) = of(all, asked) {
                    let transfer = phases.transfer.unwrap_or(0);
                    unsampled.inc_by(seconds(transfer.saturating_sub(*sampled_ns)));
                    endpoint.count(requests, overflow, (asked.method, *status));
                    endpoint.duration.observe(seconds(phases.duration()));
                    endpoint.phases.observe(phases);
                    if let Outcome::Aborted(side) = outcome {
                        endpoint.aborted(*side);
                    }
                }
            }
            Fact::Streaming { asked, status, .. } => {
                if let Some(endpoint) = of(all, asked) {
                    endpoint.count(requests, overflow, (asked.method, Some(*status)));
                }
            }
            Fact::Moved {
                asked,
                request_bytes,
                response_bytes,
                ..
            } => {
                if let Some(endpoint) = of(all, asked) {
                    endpoint.request_bytes.inc_by(*request_bytes);
                    endpoint.response_bytes.inc_by(*response_bytes);
                }
            }
            Fact::Limited { asked, limited } => {
                if let Some(endpoint) = of(all, asked) {
                    endpoint.limited(*limited);
                }
            }
            Fact::Delivered { asked, drain_ns } => {
                if let (Some(endpoint), Some(drain_ns)) = (of(all, asked), drain_ns) {
                    endpoint.phases.drain.observe(seconds(*drain_ns));
                }
            }
            Fact::Undelivered { asked, side } => {
                if let Some(endpoint) = of(all, asked) {
                    endpoint.aborted(*side);
                }
            }
            Fact::Discarded { .. } => {
                self.discarded.inc();
            }
            Fact::Begun { .. }
            | Fact::Answered { .. }
            | Fact::Named { .. }
            | Fact::Displaced { .. }
            | Fact::Dropped { .. }
            | Fact::Lost(_)
            | Fact::Unread(_) => {}
        }
    }

    /// Sets the gauges to what the live table says.
    pub fn set_live(&self, live: &Live) {
        for (index, metrics) in self.endpoints.iter().enumerate() {
            metrics.concurrency.set_live(live, index);
            metrics.stalled.set_live(live, index);
            let streams = live.streams.get(index).copied();
            metrics.streams.set(whole(streams.unwrap_or(0)));
        }
        self.heads_incomplete.set(whole(live.heads_incomplete));
    }

    /// Sets what concurrency was when it was last advanced.
    pub fn set_in_flight(&self, in_flight: &InFlight) {
        for (index, metrics) in self.endpoints.iter().enumerate() {
            metrics.concurrency.set_history(in_flight, index);
        }
    }
}

fn of<'a>(all: &'a mut [EndpointMetrics], asked: &Asked) -> Option<&'a mut EndpointMetrics> {
    all.get_mut(asked.class.endpoint.index())
}

impl PhaseMetrics {
    fn observe(&self, phases: &Phases) {
        if let Some(queue) = phases.queue {
            self.queue.observe(seconds(queue));
        }
        self.receive.observe(seconds(phases.receive));
        self.handle.observe(seconds(phases.handle));
        if let Some(transfer) = phases.transfer {
            self.transfer.observe(seconds(transfer));
        }
    }
}

impl EndpointMetrics {
    fn aborted(&self, side: Side) {
        if let Some(counter) = self.aborted.get(&side) {
            counter.inc();
        }
    }

    fn limited(&self, limited: Limited) {
        for (counter, (_, ns)) in self.limited.iter().zip(limited.by_limiter()) {
            counter.inc_by(seconds(ns));
        }
    }

    fn count(&mut self, family: &Family<Counter, 3>, overflow: &Counter, (method, status): Pair) {
        let pair = (method, status.map(Status::labelled));
        let others = self.requests.len() - usize::from(self.requests.contains_key(&OVERFLOW));
        if self.requests.contains_key(&pair) || pair == OVERFLOW || others < PAIRS - 1 {
            self.pair(family, pair).inc();
        } else {
            overflow.inc();
            self.pair(family, OVERFLOW).inc();
        }
    }

    fn pair(&mut self, family: &Family<Counter, 3>, (method, status): Pair) -> &Counter {
        self.requests.entry((method, status)).or_insert_with(|| {
            family.with([
                self.name.to_string(),
                method.name().to_owned(),
                status.map_or_else(|| "none".to_owned(), Status::label),
            ])
        })
    }
}
