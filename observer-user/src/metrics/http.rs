//! Requests in flight, ended, and how long they took.

use std::{collections::HashMap, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::model::{
    fact::{Asked, Fact, Outcome, Phases, Side},
    http::{Method, Status},
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEndpoint {
    endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRequest {
    endpoint: String,
    method: &'static str,
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPhase {
    endpoint: String,
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySide {
    endpoint: String,
    side: &'static str,
}

/// The HTTP families, and their handles: a label set is looked up once.
pub struct HttpMetrics {
    endpoints: Vec<EndpointMetrics>,
    requests: Family<ByRequest, Counter>,
    heads_incomplete: Gauge,
    discarded: Counter,
}

struct EndpointMetrics {
    name: Arc<str>,
    in_flight: Gauge,
    waiting: Gauge,
    streams: Gauge,
    duration: Histogram,
    phases: PhaseMetrics,
    request_bytes: Counter,
    response_bytes: Counter,
    aborted: HashMap<Side, Counter>,
    requests: HashMap<(Method, Option<Status>), Counter>,
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
    in_flight: Family<ByEndpoint, Gauge>,
    waiting: Family<ByEndpoint, Gauge>,
    streams: Family<ByEndpoint, Gauge>,
    duration: Family<ByEndpoint, Histogram, fn() -> Histogram>,
    phases: Family<ByPhase, Histogram, fn() -> Histogram>,
    request_bytes: Family<ByEndpoint, Counter>,
    response_bytes: Family<ByEndpoint, Counter>,
    aborted: Family<BySide, Counter>,
}

impl Families {
    fn register(registry: &mut Registry) -> Self {
        let families = Self {
            in_flight: Family::default(),
            waiting: Family::default(),
            streams: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            phases: Family::new_with_constructor(|| Histogram::new(PHASE_BUCKETS)),
            request_bytes: Family::default(),
            response_bytes: Family::default(),
            aborted: Family::default(),
        };
        registry.register(
            "http_requests_in_flight",
            "Requests whose request line arrived and whose last response byte is not sent yet",
            families.in_flight.clone(),
        );
        registry.register(
            "http_requests_waiting",
            "Requests in flight that no server process has taken from their socket",
            families.waiting.clone(),
        );
        registry.register(
            "http_streams_in_flight",
            "Server-sent events and upgraded connections; they leave the requests in flight at \
             their head and have no duration",
            families.streams.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "First request byte received to last response byte sent, measured at the server's host; \
             in-server middleware stops its clock earlier",
            families.duration.clone(),
        );
        registry.register(
            "http_request_phase_seconds",
            "Where the time went: queue (arrived, not taken up), receive (arriving), handle (server \
             at work), transfer (being sent), drain (last byte sent to its acknowledgement); without \
             drain they add up to the duration",
            families.phases.clone(),
        );
        registry.register(
            "http_request_bytes",
            "Request payload behind the heads that the server's host received, each byte once",
            families.request_bytes.clone(),
        );
        registry.register(
            "http_response_bytes",
            "Response payload behind the heads that clients acknowledged, each byte once; chunk \
             framing included",
            families.response_bytes.clone(),
        );
        registry.register(
            "http_requests_aborted",
            "Requests cut short, by who closed or reset first (timeout: neither did); a subset of \
             http_requests_total",
            families.aborted.clone(),
        );
        families
    }

    fn of(&self, name: &Arc<str>) -> EndpointMetrics {
        let label = ByEndpoint {
            endpoint: name.to_string(),
        };
        let phase = |phase| {
            self.phases.get_or_create_owned(&ByPhase {
                endpoint: name.to_string(),
                phase,
            })
        };
        let side = |side: Side| {
            let label = BySide {
                endpoint: name.to_string(),
                side: side.name(),
            };
            (side, self.aborted.get_or_create_owned(&label))
        };
        EndpointMetrics {
            name: Arc::clone(name),
            in_flight: self.in_flight.get_or_create_owned(&label),
            waiting: self.waiting.get_or_create_owned(&label),
            streams: self.streams.get_or_create_owned(&label),
            duration: self.duration.get_or_create_owned(&label),
            phases: PhaseMetrics {
                queue: phase("queue"),
                receive: phase("receive"),
                handle: phase("handle"),
                transfer: phase("transfer"),
                drain: phase("drain"),
            },
            request_bytes: self.request_bytes.get_or_create_owned(&label),
            response_bytes: self.response_bytes.get_or_create_owned(&label),
            aborted: Side::ALL.map(side).into(),
            requests: HashMap::new(),
        }
    }
}

impl HttpMetrics {
    /// Registers the families and creates what is expected of each endpoint.
    pub fn register(registry: &mut Registry, endpoints: &[Arc<str>]) -> Self {
        let families = Families::register(registry);
        let metrics = Self {
            endpoints: endpoints.iter().map(|name| families.of(name)).collect(),
            requests: Family::default(),
            heads_incomplete: Gauge::default(),
            discarded: Counter::default(),
        };
        registry.register(
            "http_requests",
            "Requests that ended, by the status received on the wire (none: no status line was sent); \
             aborted ones are included, streams are counted at their head",
            metrics.requests.clone(),
        );
        registry.register(
            "http_heads_incomplete",
            "Connections whose request line is not complete yet",
            metrics.heads_incomplete.clone(),
        );
        registry.register(
            "http_requests_discarded",
            "Requests sent behind one whose answer closed the connection: never served, and in no \
             other family",
            metrics.discarded.clone(),
        );
        metrics.with_expected()
    }

    /// Counts a fact.
    pub fn record(&mut self, fact: &Fact) {
        let requests = &self.requests;
        let all = &mut self.endpoints;
        match fact {
            Fact::Ended {
                asked,
                status,
                phases,
                outcome,
                ..
            } => {
                if let Some(endpoint) = of(all, asked) {
                    endpoint.request(requests, asked.method, *status).inc();
                    endpoint.duration.observe(seconds(phases.duration()));
                    endpoint.phases.observe(phases);
                    if let Outcome::Aborted(side) = outcome {
                        endpoint.aborted(*side);
                    }
                }
            }
            Fact::Streaming { asked, status, .. } => {
                if let Some(endpoint) = of(all, asked) {
                    endpoint
                        .request(requests, asked.method, Some(*status))
                        .inc();
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
            Fact::Begun { .. } | Fact::Answered { .. } | Fact::Dropped { .. } | Fact::Lost(_) => {}
        }
    }

    /// Sets the gauges to what the live table says.
    pub fn set_live(&self, live: &Live) {
        for (index, metrics) in self.endpoints.iter().enumerate() {
            for (gauge, counts) in [
                (&metrics.in_flight, &live.in_flight),
                (&metrics.waiting, &live.waiting),
                (&metrics.streams, &live.streams),
            ] {
                gauge.set(whole(counts.get(index).copied().unwrap_or(0)));
            }
        }
        self.heads_incomplete.set(whole(live.heads_incomplete));
    }

    fn with_expected(mut self) -> Self {
        for metrics in &mut self.endpoints {
            for (method, code) in EXPECTED {
                metrics.request(&self.requests, method, code.and_then(Status::new));
            }
        }
        self
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

    fn request(
        &mut self,
        family: &Family<ByRequest, Counter>,
        method: Method,
        status: Option<Status>,
    ) -> &Counter {
        self.requests.entry((method, status)).or_insert_with(|| {
            family.get_or_create_owned(&ByRequest {
                endpoint: self.name.to_string(),
                method: method.name(),
                status: status.map_or_else(|| "none".to_owned(), Status::label),
            })
        })
    }
}

fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
