//! Requests in flight, ended, and how long they took.

use std::{collections::HashMap, sync::Arc};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::model::{
    classify::{Endpoint, MAX_ENDPOINTS},
    http::{Method, Status},
};

/// Seconds: from a boot script in memory to an image over a slow link.
const DURATION_BUCKETS: [f64; 20] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0, 600.0, 1800.0, 3600.0,
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

/// The HTTP families, and their handles: a label set is looked up once.
pub struct HttpMetrics {
    endpoints: Vec<EndpointMetrics>,
    requests: Family<ByRequest, Counter>,
}

struct EndpointMetrics {
    name: Arc<str>,
    in_flight: Gauge,
    duration: Histogram,
    requests: HashMap<(Method, Option<Status>), Counter>,
}

impl HttpMetrics {
    /// Registers the families and creates what is expected of each endpoint.
    pub fn register(registry: &mut Registry, endpoints: &[Arc<str>]) -> Self {
        let in_flight = Family::<ByEndpoint, Gauge>::default();
        let requests = Family::<ByRequest, Counter>::default();
        let duration = Family::<ByEndpoint, Histogram>::new_with_constructor(|| {
            Histogram::new(DURATION_BUCKETS)
        });
        registry.register(
            "http_requests_in_flight",
            "Requests whose request line arrived and whose last response byte is not sent yet",
            in_flight.clone(),
        );
        registry.register(
            "http_requests",
            "Requests that ended, by the status received on the wire (none: no status line was sent); \
             aborted ones are included",
            requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "First request byte received to last response byte sent, measured at the server's host; \
             in-server middleware stops its clock earlier",
            duration.clone(),
        );
        let mut metrics = Self {
            endpoints: Vec::new(),
            requests,
        };
        for name in endpoints {
            let label = ByEndpoint {
                endpoint: name.to_string(),
            };
            metrics.endpoints.push(EndpointMetrics {
                name: Arc::clone(name),
                in_flight: in_flight.get_or_create_owned(&label),
                duration: duration.get_or_create_owned(&label),
                requests: HashMap::new(),
            });
        }
        metrics.create_expected();
        metrics
    }

    /// A request ended.
    pub fn ended(
        &mut self,
        endpoint: Endpoint,
        method: Method,
        status: Option<Status>,
        duration_ns: u64,
    ) {
        let Some(metrics) = self.endpoints.get_mut(endpoint.index()) else {
            return;
        };
        metrics
            .duration
            .observe(std::time::Duration::from_nanos(duration_ns).as_secs_f64());
        metrics.request(&self.requests, method, status).inc();
    }

    /// Sets the gauges to what the live table says.
    pub fn set_in_flight(&self, counts: &[u64; MAX_ENDPOINTS]) {
        for (metrics, count) in self.endpoints.iter().zip(counts) {
            metrics
                .in_flight
                .set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }

    fn create_expected(&mut self) {
        for metrics in &mut self.endpoints {
            for (method, code) in EXPECTED {
                metrics.request(&self.requests, method, code.and_then(Status::new));
            }
        }
    }
}

impl EndpointMetrics {
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
