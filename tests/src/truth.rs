//! Our numbers beside a server's log.

use std::collections::BTreeMap;

use crate::{
    observer::Observer,
    scrape::{Labels, Scrape},
    server::Row,
};

/// Each byte of a response's body once, as its receiver acknowledged it.
pub const RESPONSE_BYTES: &str = "http_response_bytes_total";

/// Requests by endpoint, method and status.
pub type Counts = BTreeMap<(String, String, String), f64>;

/// Panics unless the scrape has what the log has, and nothing is lost or in flight.
pub fn check(scrape: &Scrape, log: &[Row], endpoint: impl Fn(&str) -> String) {
    assert_eq!(counted(scrape), logged(log, endpoint));
    assert_eq!(scrape.lost(), []);
    assert_eq!(scrape.sum("http_requests_in_flight", &[]), 0.0);
    histogram_equals_counter(scrape);
}

/// The counts of `http_requests_total` that are not 0.
pub fn counted(scrape: &Scrape) -> Counts {
    let key = |labels: &Labels| {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        (label("endpoint"), label("method"), label("status"))
    };
    let seen = scrape
        .series("http_requests_total")
        .filter(|(_, value)| *value != 0.0);
    seen.map(|(labels, value)| (key(labels), value)).collect()
}

/// The counts that the log has.
pub fn logged(log: &[Row], endpoint: impl Fn(&str) -> String) -> Counts {
    let mut counts = Counts::new();
    for row in log {
        let key = (
            endpoint(&row.target),
            row.method.clone(),
            row.status.to_string(),
        );
        *counts.entry(key).or_default() += 1.0;
    }
    counts
}

/// Panics unless the responses took what the log says on the wire after their heads.
pub fn check_bytes(observer: &Observer, log: &[Row]) {
    assert!(log.iter().all(|row| row.complete), "cut short: {log:?}");
    let logged: f64 = log.iter().map(|row| row.bytes as f64).sum();
    // The last acknowledgement may take a moment.
    let last = observer.until(|scrape| scrape.sum(RESPONSE_BYTES, &[]) >= logged);
    let counted = last.expect("bytes").sum(RESPONSE_BYTES, &[]);
    assert_eq!(counted, logged);
}

/// Panics unless each request that ended was timed.
pub fn histogram_equals_counter(scrape: &Scrape) {
    for (labels, count) in scrape.series("http_request_duration_seconds_count") {
        let endpoint = labels["endpoint"].as_str();
        let of = |name| scrape.sum(name, &[("endpoint", endpoint)]);
        assert_eq!(count, of("http_requests_total"), "{endpoint}");
        let sum = of("http_request_duration_seconds_sum");
        assert!(
            (sum > 0.0) == (count > 0.0),
            "{endpoint}: {sum} s in {count}"
        );
    }
}
