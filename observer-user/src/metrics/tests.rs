//! What a scrape says, without a kernel and without a socket.

use observer_common::conn::Tuple;

use super::*;
use crate::model::{
    classify::{Access, Class, Classifier, Proto, Subject},
    fact::{Asked, ExchangeId, Outcome, Phases, Side},
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

/// A GET that took 30 ms: 1 in the queue, 2 arriving, 7 handled, 20 being sent.
fn ended(class: Class, code: u16) -> Fact {
    Fact::Ended {
        id: ExchangeId { cookie: 1, turn: 1 },
        asked: asked(class),
        status: Status::new(code),
        phases: Phases {
            queue: Some(1_000_000),
            receive: 2_000_000,
            handle: 7_000_000,
            transfer: Some(20_000_000),
        },
        response_bytes: 0,
        outcome: Outcome::Aborted(Side::Client),
    }
}

fn asked(class: Class) -> Asked {
    Asked {
        tuple: Tuple::default(),
        method: Method::Get,
        class,
        begun_ns: 0,
    }
}

#[test]
fn a_request_is_one_count_and_one_observation() {
    let text = scrape(|metrics, classifier| {
        let subject = Subject {
            proto: Proto::Http,
            access: Access::Read,
            target: b"/images/a.raw",
        };
        let class = classifier.classify(subject);
        metrics.record(&ended(class, 200));
    });
    for line in [
        "http_requests_total{endpoint=\"image\",method=\"GET\",status=\"200\"} 1",
        "http_request_duration_seconds_bucket{le=\"0.025\",endpoint=\"image\"} 0",
        "http_request_duration_seconds_bucket{le=\"0.05\",endpoint=\"image\"} 1",
        "http_request_duration_seconds_count{endpoint=\"image\"} 1",
        "http_request_phase_seconds_sum{endpoint=\"image\",phase=\"queue\"} 0.001",
        "http_request_phase_seconds_sum{endpoint=\"image\",phase=\"receive\"} 0.002",
        "http_request_phase_seconds_sum{endpoint=\"image\",phase=\"handle\"} 0.007",
        "http_request_phase_seconds_sum{endpoint=\"image\",phase=\"transfer\"} 0.02",
        "http_request_phase_seconds_count{endpoint=\"image\",phase=\"drain\"} 0",
        "http_requests_aborted_total{endpoint=\"image\",side=\"client\"} 1",
        "http_requests_aborted_total{endpoint=\"image\",side=\"server\"} 0",
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
        let class = classifier.classify(Subject {
            proto: Proto::Http,
            access: Access::Read,
            target: b"/images/a.raw",
        });
        for code in [452, 453, 499] {
            metrics.record(&ended(class, code));
        }
    });
    let line = "http_requests_total{endpoint=\"image\",method=\"GET\",status=\"4xx\"} 3";
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
