//! TFTP transfers in flight, ended, and what moved.

use std::{collections::HashMap, sync::Arc};

use prometheus_client::metrics::{counter::Counter, histogram::Histogram};

use super::{
    catalog::{Catalog, Declaration},
    concurrency::{Concurrency, ConcurrencyFamilies},
    family::Family,
    seconds,
    stalled::{Stalled, StalledFamily},
};
use crate::model::{
    in_flight::InFlight,
    stall::WaitsFor,
    tftp::{
        Fact, Operation, Outcome,
        fact::{Asked, Sender},
    },
    track::Live,
};

/// Seconds: from a small NBP on a LAN to an image in small blocks over a slow link.
const DURATION_BUCKETS: [f64; 14] = [
    0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0,
];
/// Seconds: from a server at rest to one that stopped reading its port.
const ANSWER_BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0, 60.0,
];
/// Bytes: what clients ask for, and what fits in a frame.
const BLOCK_BUCKETS: [f64; 10] = [
    512.0, 1024.0, 1408.0, 1428.0, 1432.0, 1456.0, 1468.0, 2048.0, 8192.0, 65464.0,
];
const WINDOW_BUCKETS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// The codes that there are (RFC 1350 5, RFC 2347), and whatever else is sent.
const CODES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "other"];

/// The TFTP families, and their handles.
pub struct TftpMetrics {
    endpoints: Vec<EndpointMetrics>,
    families: Families,
    errors: HashMap<Sender, Vec<Counter>>,
    block_size: Histogram,
    window_size: Histogram,
    late: Counter,
}

struct EndpointMetrics {
    concurrency: Concurrency,
    stalled: Stalled,
    requests: HashMap<(Operation, Outcome), Counter>,
    duration: Histogram,
    first_answer: Histogram,
    sent: Counter,
    received: Counter,
    retransmits: Counter,
}

/// The families by which handles are made.
struct Families {
    concurrency: ConcurrencyFamilies,
    stalled: StalledFamily,
    requests: Family<Counter, 3>,
    duration: Family<Histogram, 1>,
    first_answer: Family<Histogram, 1>,
    sent: Family<Counter, 1>,
    received: Family<Counter, 1>,
    retransmits: Family<Counter, 1>,
}

impl Families {
    fn declare(catalog: &mut Catalog, endpoints: usize) -> Self {
        let by_endpoint = |name, help| Declaration {
            name,
            help,
            labels: ["endpoint"],
            sets: endpoints,
        };
        let concurrency = ConcurrencyFamilies::declare(
            catalog,
            endpoints,
            [
                (
                    "transfers_in_flight",
                    "Transfers that are not over; one begins with its request",
                ),
                (
                    "transfers_in_flight_peak",
                    "The most transfers in flight at one time in the last 60 s; peaks of several \
                     endpoints are of different instants: never sum them",
                ),
                (
                    "transfers_in_flight_seconds",
                    "Time that transfers were in flight, each its own, up to the instant of the \
                     scrape; the rate of bytes by the rate of this is what one transfer gets",
                ),
                (
                    "requests_waiting",
                    "Requests that no one has answered; dnsmasq leaves them so while it serves \
                     tftp-max others",
                ),
            ],
        );
        let stalled = StalledFamily::declare(
            catalog,
            endpoints,
            &WaitsFor::TFTP,
            "Transfers in flight that were answered and of which no block was acknowledged for 5 s \
             (--stalled-after): the server does not send the next one, or the client, or the path, \
             does not answer the last",
        );
        Self {
            concurrency,
            stalled,
            requests: catalog.counter(Declaration {
                name: "requests",
                help: "Requests that ended, by what became of them; a repeated one is one request",
                labels: ["endpoint", "operation", "outcome"],
                sets: endpoints * Operation::ALL.len() * Outcome::ALL.len(),
            }),
            duration: catalog.histogram(
                by_endpoint(
                    "transfer_duration_seconds",
                    "Request to the last packet that moved the transfer, of those that are complete",
                ),
                &DURATION_BUCKETS,
            ),
            first_answer: catalog.histogram(
                by_endpoint(
                    "first_answer_seconds",
                    "Request to the server's first packet, whatever it says; of a repeated request \
                     from the first",
                ),
                &ANSWER_BUCKETS,
            ),
            sent: catalog.counter(by_endpoint(
                "sent_bytes",
                "File bytes that servers sent, each block once",
            )),
            received: catalog.counter(by_endpoint(
                "received_bytes",
                "File bytes that clients wrote, each block once",
            )),
            retransmits: catalog.counter(by_endpoint(
                "retransmits",
                "Blocks, option acknowledgements, and acknowledgements of written blocks, that \
                 servers sent again",
            )),
        }
    }

    fn of(&self, endpoint: &str) -> EndpointMetrics {
        let only = || [endpoint.to_owned()];
        let kinds = Operation::ALL.into_iter().flat_map(|operation| {
            let with = move |outcome: Outcome| (operation, outcome);
            Outcome::ALL.map(with)
        });
        let request = |(operation, outcome): (Operation, Outcome)| {
            let labels = [endpoint, operation.name(), outcome.name()];
            let counter = self.requests.with(labels.map(str::to_owned));
            ((operation, outcome), counter)
        };
        EndpointMetrics {
            concurrency: self.concurrency.of(endpoint),
            stalled: self.stalled.of(endpoint),
            requests: kinds.map(request).collect(),
            duration: self.duration.with(only()),
            first_answer: self.first_answer.with(only()),
            sent: self.sent.with(only()),
            received: self.received.with(only()),
            retransmits: self.retransmits.with(only()),
        }
    }
}

impl TftpMetrics {
    /// Declares the families; all their series exist from now on.
    pub(super) fn declare(catalog: &mut Catalog, endpoints: &[Arc<str>]) -> Self {
        let catalog = catalog.with_prefix("tftp_");
        let families = Families::declare(catalog, endpoints.len());
        let errors = catalog.counter(Declaration {
            name: "errors",
            help: "ERROR packets, of each side the first in a transfer; many are polite (a client that \
                   has what it wanted): alert on tftp_requests_total by outcome, not on this",
            labels: ["sender", "code"],
            sets: Sender::ALL.len() * CODES.len(),
        });
        let alone = |name, help| Declaration {
            name,
            help,
            labels: [],
            sets: 1,
        };
        let block_size = catalog.histogram(
            alone(
                "block_size_bytes",
                "Bytes of a full block, as agreed at the first answer; 512 without an option",
            ),
            &BLOCK_BUCKETS,
        );
        let window_size = catalog.histogram(
            alone(
                "window_size_blocks",
                "Blocks sent for one acknowledgement, as agreed at the first answer; 1 without an \
                 option",
            ),
            &WINDOW_BUCKETS,
        );
        let late = catalog.with_prefix("pxe_observer_").counter(alone(
            "late_answers",
            "First answers of TFTP servers to requests that were counted as unanswered before",
        ));
        let by_code = |sender: Sender| {
            let with = |code: &str| errors.with([sender.name().to_owned(), code.to_owned()]);
            (sender, CODES.map(with).into())
        };
        Self {
            endpoints: endpoints.iter().map(|name| families.of(name)).collect(),
            families,
            errors: Sender::ALL.map(by_code).into(),
            block_size: block_size.only(),
            window_size: window_size.only(),
            late: late.only(),
        }
    }

    /// These are the endpoints from now on, of which the first are known.
    pub(super) fn extend(&mut self, endpoints: &[Arc<str>]) {
        let new = endpoints.iter().skip(self.endpoints.len());
        self.endpoints
            .extend(new.map(|name| self.families.of(name)));
    }

    /// Counts a fact.
    pub fn record(&self, fact: &Fact) {
        match fact {
            Fact::Answered { asked, wait_ns } => {
                if let Some(endpoint) = self.of(asked) {
                    endpoint.first_answer.observe(seconds(*wait_ns));
                }
            }
            Fact::Agreed {
                block_size,
                window_size,
            } => {
                self.block_size.observe(f64::from(*block_size));
                self.window_size.observe(f64::from(*window_size));
            }
            Fact::Moved {
                asked,
                sent,
                received,
                retransmits,
                ..
            } => {
                if let Some(endpoint) = self.of(asked) {
                    endpoint.sent.inc_by(*sent);
                    endpoint.received.inc_by(*received);
                    endpoint.retransmits.inc_by(*retransmits);
                }
            }
            Fact::Failed { sender, code } => {
                let codes = self.errors.get(sender).map_or(&[][..], Vec::as_slice);
                if let Some(counter) = codes.get(usize::from(*code)).or(codes.last()) {
                    counter.inc();
                }
            }
            Fact::Ended {
                asked,
                outcome,
                duration_ns,
                ..
            } => {
                if let Some(endpoint) = self.of(asked) {
                    endpoint.end(asked.operation, *outcome, *duration_ns);
                }
            }
            Fact::AnsweredLate => {
                self.late.inc();
            }
            Fact::Begun { .. } | Fact::Named { .. } | Fact::Dropped { .. } => {}
        }
    }

    /// Sets the gauges to what the live table says.
    pub fn set_live(&self, live: &Live) {
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            endpoint.concurrency.set_live(live, index);
            endpoint.stalled.set_live(live, index);
        }
    }

    /// Sets what concurrency was when it was last advanced.
    pub fn set_in_flight(&self, in_flight: &InFlight) {
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            endpoint.concurrency.set_history(in_flight, index);
        }
    }

    fn of(&self, asked: &Asked) -> Option<&EndpointMetrics> {
        self.endpoints.get(asked.class.endpoint.index())
    }
}

impl EndpointMetrics {
    fn end(&self, operation: Operation, outcome: Outcome, duration_ns: u64) {
        if let Some(counter) = self.requests.get(&(operation, outcome)) {
            counter.inc();
        }
        if outcome.is_complete() {
            self.duration.observe(seconds(duration_ns));
        }
    }
}
