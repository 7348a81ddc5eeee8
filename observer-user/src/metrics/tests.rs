//! What a scrape says, without a kernel and without a socket.

use super::*;
use crate::model::{
    classify::{Access, Classifier, Proto, Subject},
    http::{Method, Status},
    loss::Loss,
};

fn scrape(use_it: impl FnOnce(&mut Metrics, &Classifier)) -> String {
    let classifier = Classifier::dragonfly();
    let mut registry = Registry::default();
    let mut metrics = Metrics::register(&mut registry, classifier.endpoints());
    use_it(&mut metrics, &classifier);
    encode(&registry).expect("a String takes everything")
}

#[test]
fn a_request_is_one_count_and_one_observation() {
    let text = scrape(|metrics, classifier| {
        let subject = Subject {
            proto: Proto::Http,
            access: Access::Read,
            target: b"/images/a.raw",
        };
        let endpoint = classifier.classify(subject).endpoint;
        metrics
            .http
            .ended(endpoint, Method::Get, Status::new(200), 30_000_000);
    });
    for line in [
        "http_requests_total{endpoint=\"image\",method=\"GET\",status=\"200\"} 1",
        "http_request_duration_seconds_bucket{le=\"0.025\",endpoint=\"image\"} 0",
        "http_request_duration_seconds_bucket{le=\"0.05\",endpoint=\"image\"} 1",
        "http_request_duration_seconds_count{endpoint=\"image\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn expected_series_exist_from_the_start() {
    let text = scrape(|_, _| {});
    for endpoint in Classifier::dragonfly().endpoints() {
        for line in [
            format!("http_requests_in_flight{{endpoint=\"{endpoint}\"}} 0"),
            format!(
                "http_requests_total{{endpoint=\"{endpoint}\",method=\"GET\",status=\"none\"}} 0"
            ),
            format!("http_request_duration_seconds_count{{endpoint=\"{endpoint}\"}} 0"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn unregistered_statuses_share_their_class() {
    let text = scrape(|metrics, classifier| {
        for code in [452, 453, 499] {
            metrics
                .http
                .ended(classifier.other(), Method::Get, Status::new(code), 0);
        }
    });
    let line = "http_requests_total{endpoint=\"other\",method=\"GET\",status=\"4xx\"} 3";
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn a_kernel_total_is_counted_once() {
    let text = scrape(|metrics, _| {
        metrics.observer.kernel_lost(Loss::RingFull, 3);
        metrics.observer.kernel_lost(Loss::RingFull, 3);
        metrics.observer.kernel_lost(Loss::RingFull, 5);
    });
    let line = "pxe_observer_events_lost_total{reason=\"ring_full\"} 5";
    assert!(text.lines().any(|found| found == line), "{text}");
}
