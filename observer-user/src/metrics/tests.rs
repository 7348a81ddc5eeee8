//! What a scrape says, without a kernel and without a socket.

use std::{env, fs, time::Duration};

use observer_common::{conn::Tuple, tftp::Peer};

use super::*;
use crate::{
    diag::Process,
    errors::Failure,
    kernel::{Hook, ProbeRuns},
    model::{
        classify::{Access, Class, Classifier, Endpoint, MAX_ENDPOINTS, Proto, Subject},
        event::Kind,
        fact::{Asked, ExchangeId, Outcome, Phases, Side},
        http::{Method, Status},
        in_flight::InFlight,
        links::{Counted, Interface, Links, Queue},
        loss::Loss,
        protocol::Protocol,
        queues::Queues,
        sockets::{Listener, Sample, UdpSocket},
        stall::WaitsFor,
        table::Table,
        tftp,
        track::Live,
        unread::Unread,
    },
};

fn scrape(use_it: impl FnOnce(&mut Metrics, &Classifier)) -> String {
    let classifier = Classifier::dragonfly();
    let mut metrics = Metrics::new(classifier.endpoints());
    use_it(&mut metrics, &classifier);
    let exposition = metrics.encode().expect("a String takes everything");
    exposition.text(Format::OpenMetrics).to_owned()
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
        sampled_ns: 0,
    }
}

fn asked(class: Class) -> Asked {
    Asked {
        tuple: Tuple {
            server_port: 80,
            ..Tuple::default()
        },
        method: Method::Get,
        class,
        begun_ns: 0,
        line_ns: 0,
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
        metrics.record_fact(&ended(class, 200));
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
            metrics.record_fact(&ended(class, code));
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

/// Sample lines.
fn samples(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn value(text: &str, series: &str) -> u64 {
    let line = samples(text).find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("{series} is not in {text}"));
    value.parse().expect("a whole number")
}

fn image(classifier: &Classifier) -> Class {
    classifier.classify(Subject {
        proto: Proto::Http,
        access: Access::Read,
        target: b"/images/a.raw",
    })
}

/// Requests at, and a server of, more ports than there are labels.
fn every_port() -> Queues {
    let ports: Vec<u16> = (1..=100).collect();
    let tftp = observer_common::limits::TFTP_PORTS as usize;
    let mut queues = Queues::new(&ports, &ports[..tftp], true);
    queues.on_sample(&sample(&queues, 1));
    queues
}

/// A listener and a UDP socket of each port that is wanted, with so much of each number.
fn sample(queues: &Queues, number: u32) -> Sample {
    let wanted = queues.wanted();
    let listener = |port: &u16| Listener {
        port: *port,
        queue: number,
        limit: 2 * number,
        drops: 3 * number,
        cookie: u64::from(*port),
        inode: 0,
    };
    let udp = |port: &u16| UdpSocket {
        port: *port,
        queue_bytes: 4 * number,
        drops: 5 * number,
        cookie: u64::from(*port),
        inode: 0,
    };
    Sample {
        listeners: Some(wanted.tcp.iter().map(listener).collect()),
        udp: Some(wanted.udp.iter().map(udp).collect()),
        unreachable: 1,
        wanted,
        ..Sample::default()
    }
}

/// So many interfaces.
fn links(number: u32) -> Links {
    let interface = |index: u32| Interface {
        namespace: 0,
        index,
        name: format!("eth{index}"),
        counted: Counted {
            received: 10,
            sent: 2_000,
            received_drops: 3,
            sent_drops: 4,
            queue: Some(Queue {
                handle: 1,
                drops: 50,
                backlog: 0,
            }),
        },
        speed: Some(125_000_000),
    };
    let all: Vec<Interface> = (0..number).map(interface).collect();
    let mut links = Links::default();
    links.on_sample(&all);
    links
}

#[test]
fn links_say_what_they_count_and_those_that_do_not_fit_are_counted() {
    let text = scrape(|metrics, _| {
        let mut links = links(10);
        metrics.links.set(&links);
        links.on_sample(&[]);
        metrics.links.set(&links);
    });
    for (series, total) in [
        (
            "pxe_link_bytes_total{direction=\"sent\",interface=\"eth7\"}",
            2_000,
        ),
        (
            "pxe_link_drops_total{direction=\"received\",interface=\"eth0\"}",
            3,
        ),
        (
            "pxe_link_drops_total{direction=\"sent\",interface=\"eth0\"}",
            54,
        ),
        (
            "pxe_observer_label_overflow_total{family=\"pxe_link_bytes_total\"}",
            2,
        ),
    ] {
        assert_eq!(value(&text, series), total, "{series}");
    }
    assert!(!text.contains("eth8"));
    // It could not be read again.
    assert!(!text.contains("pxe_link_speed_bytes{"));
}

#[test]
fn a_queue_that_cannot_be_read_is_in_no_series() {
    let text = scrape(|metrics, _| {
        let mut queues = Queues::new(&[80], &[69], true);
        let whole = sample(&queues, 1);
        queues.on_sample(&whole);
        metrics.sockets.set_queues(&queues);
        queues.on_sample(&Sample {
            listeners: None,
            ..whole
        });
        metrics.sockets.set_queues(&queues);
    });
    for unknown in [
        "pxe_listener_up{port=\"80\",protocol=\"tcp\"}",
        "tcp_listen_queue_length{",
        "tcp_listen_queue_limit{",
    ] {
        assert!(!text.contains(unknown), "{unknown}");
    }
    let up = "pxe_listener_up{port=\"69\",protocol=\"udp\"}";
    assert_eq!(value(&text, up), 1);
    assert_eq!(value(&text, "tcp_listen_drops_total{port=\"80\"}"), 3);
}

/// Every method with every status, at every endpoint of the largest profile.
#[test]
fn hostile_traffic_keeps_to_the_limit() {
    let names: Vec<Arc<str>> = (0..MAX_ENDPOINTS)
        .map(|n| format!("endpoint_{n}").into())
        .collect();
    let mut metrics = Metrics::new(&names);
    let anything = image(&Classifier::dragonfly());
    let pairs = Method::ALL.len() * 501;
    for endpoint in 0..MAX_ENDPOINTS {
        for method in Method::ALL {
            for code in 99..600 {
                let class = Class {
                    endpoint: Endpoint::at(endpoint),
                    ..anything
                };
                let mut fact = ended(class, code);
                if let Fact::Ended { asked, .. } = &mut fact {
                    asked.method = method;
                }
                metrics.record_fact(&fact);
            }
        }
    }
    for hook in Hook::ALL {
        metrics.observer.probe(hook, true);
    }
    metrics.observer.probe_runs(&Hook::ALL.map(runs));
    for port in 1..=observer_common::limits::TFTP_PORTS {
        metrics
            .sockets
            .udp_drops(u16::try_from(port).expect("few"), 1);
    }
    let queues = every_port();
    metrics.sockets.set_queues(&queues);
    // As many ports as a host has.
    let ports = (1..=u16::MAX).map(|port| (port, 1)).collect();
    let none = std::iter::empty();
    metrics.ports.set(queues.ports(), none, &ports);
    metrics.links.set(&links(100));
    let exposition = metrics.encode().expect("encoded");
    let text = exposition.text(Format::OpenMetrics);
    let series = samples(text).count();
    assert_eq!(series, metrics.series_limit(), "all that there can be");
    assert!(series <= 10_000, "{series}");
    assert_eq!(value(text, "pxe_observer_series"), series as u64);
    assert_eq!(value(text, "pxe_observer_series_limit"), series as u64);
    let of = |start: &str| samples(text).filter(|line| line.starts_with(start)).count();
    assert_eq!(of("http_requests_total{endpoint=\"endpoint_7\","), 48);
    // What did not fit is in one pair, and counted: nothing is missing.
    let total: u64 = samples(text)
        .filter(|line| line.starts_with("http_requests_total"))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum();
    assert_eq!(total, (pairs * MAX_ENDPOINTS) as u64);
    let overflow = value(
        text,
        "pxe_observer_label_overflow_total{family=\"http_requests_total\"}",
    );
    let other = "http_requests_total{endpoint=\"endpoint_7\",method=\"other\",status=\"none\"}";
    // Of those one without a status is its own.
    assert_eq!(overflow, (value(text, other) - 1) * MAX_ENDPOINTS as u64);
}

#[test]
fn built_in_profiles_stay_small() {
    for classifier in [Classifier::generic(), Classifier::dragonfly()] {
        let mut metrics = Metrics::new(classifier.endpoints());
        assert!(
            metrics.series_limit() <= 5_000,
            "{}",
            metrics.series_limit()
        );
        let scrape = metrics.encode().expect("encoded");
        let bytes = scrape.text(Format::OpenMetrics).len();
        assert!(bytes <= 250_000, "{bytes}");
    }
}

/// Of a pair that is known, however many others there are.
#[test]
fn what_is_expected_always_has_its_place() {
    let text = scrape(|metrics, classifier| {
        let class = image(classifier);
        for code in 100..600 {
            metrics.record_fact(&ended(class, code));
        }
        metrics.record_fact(&ended(class, 503));
    });
    let expected = "http_requests_total{endpoint=\"image\",method=\"GET\",status=\"503\"}";
    assert_eq!(value(&text, expected), 2);
}

#[test]
fn families_and_series_are_sorted() {
    let text = scrape(|metrics, classifier| {
        for code in [511, 204, 302] {
            metrics.record_fact(&ended(image(classifier), code));
        }
    });
    let text = Exposition::new(text).text(Format::Plain).to_owned();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    assert!(names.is_sorted() && names.len() > 30, "{names:?}");
    let requests: Vec<&str> = samples(&text)
        .filter(|line| line.starts_with("http_requests_total"))
        .collect();
    assert!(requests.is_sorted(), "{requests:#?}");
}

fn runs(hook: Hook) -> ProbeRuns {
    ProbeRuns {
        hook,
        runs: 4,
        time: Duration::from_micros(6),
    }
}

#[test]
fn runs_are_told_only_while_the_kernel_counts() {
    let lines = |text: &str| {
        samples(text)
            .filter(|line| line.contains("probe_run"))
            .count()
    };
    let counted = scrape(|metrics, _| metrics.observer.probe_runs(&[runs(Hook::Recv)]));
    assert_eq!(lines(&counted), 2);
    let series = "pxe_observer_probe_runs_total{probe=\"recv\"}";
    assert_eq!(value(&counted, series), 4);
    let ended = scrape(|metrics, _| {
        metrics.observer.probe_runs(&[runs(Hook::Recv)]);
        metrics.observer.probe_runs(&[]);
    });
    assert_eq!(lines(&ended), 0);
}

/// One of everything. `BLESS=1 cargo test golden` writes what is said now.
#[test]
fn golden_scrape() {
    let mut metrics = Metrics::new(&["image".into(), "other".into()]);
    let class = image(&Classifier::dragonfly());
    let class = Class {
        endpoint: Endpoint::at(0),
        ..class
    };
    one_of_each(&mut metrics, class);
    let exposition = metrics.encode().expect("encoded");
    for (format, name) in [
        (Format::Plain, "plain"),
        (Format::OpenMetrics, "openmetrics"),
    ] {
        let path = format!(
            "{}/src/metrics/golden/{name}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = exposition.text(format);
        if env::var_os("BLESS").is_some() {
            fs::write(&path, text).expect("write");
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            golden == text,
            "{path} differs: look at what `BLESS=1 cargo test golden` makes of it"
        );
    }
}

fn one_of_each(metrics: &mut Metrics, class: Class) {
    let asked = asked(class);
    let id = ExchangeId { cookie: 1, turn: 1 };
    let status = Status::new(101).expect("a status");
    let mut tally = Tally::default();
    tally.facts.extend([
        Fact::Begun { id, asked },
        ended(class, 200),
        Fact::Moved {
            id,
            asked,
            request_bytes: 10,
            response_bytes: 1_000,
        },
        Fact::Delivered {
            asked,
            drain_ns: Some(2_000_000),
        },
        Fact::Streaming {
            id,
            asked,
            status,
            at_ns: 5,
        },
        Fact::Discarded { asked },
        Fact::Lost(Loss::Swept),
        Fact::Unread(Unread::ResponseHead),
    ]);
    tally.event(Kind::Request);
    tally.skip(Task::Drain, 2);
    tally.drains.push(Duration::from_micros(300));
    tally.last_drain = Some(Duration::from_millis(1_700_000_000_250));
    let mut in_flight = InFlight::new(0);
    for fact in &tally.facts {
        in_flight.on_fact(fact, 40_000_000);
    }
    let mut transfers_in_flight = InFlight::new(0);
    tally.transfers = one_of_each_transfer(class);
    for fact in &tally.transfers {
        transfers_in_flight.on_transfer(fact);
    }
    metrics.record(&mut tally);
    let mut live = Live::default();
    live.in_flight[0] = 2;
    live.since_ns[0] = 60_000_000;
    live.waiting[0] = 1;
    live.streams[0] = 1;
    live.heads_incomplete = 3;
    for (count, waits_for) in (1..).zip(WaitsFor::ALL) {
        live.stalled[waits_for as usize][0] = count;
    }
    in_flight.advance(&live, 1_000_000_000);
    metrics.http.set_live(&live);
    metrics.http.set_in_flight(&in_flight);
    transfers_in_flight.advance(&live, 1_000_000_000);
    metrics.tftp.set_live(&live);
    metrics.tftp.set_in_flight(&transfers_in_flight);
    metrics.sockets.udp_drops(69, 3);
    let mut queues = Queues::new(&[80], &[69], true);
    queues.on_sample(&sample(&queues, 5));
    metrics.sockets.set_queues(&queues);
    let retransmits = [(80, 6), (8080, 7)].into_iter();
    let connections = [(80, 8), (8080, 9)].into();
    metrics.ports.set(queues.ports(), retransmits, &connections);
    metrics.links.set(&links(1));
    metrics.observer.errors(Failure::Accept, 1);
    metrics.observer.connections(Protocol::Tls, 4);
    metrics.observer.ring_full(Kind::Response, 1);
    metrics.observer.table(Table::Conns, 5, 65_536);
    for hook in Hook::ALL {
        metrics.observer.probe(hook, hook != Hook::Recv);
    }
    metrics.observer.probe_runs(&[runs(Hook::Ingress)]);
    metrics.process.set(&Process {
        cpu: Duration::from_millis(1_230),
        resident_bytes: 9 << 20,
        open_fds: 40,
        max_fds: 1_024,
        started: Duration::from_millis(1_700_000_000_000),
    });
}

/// A write that took 40 ms and is complete, and what else there is.
fn one_of_each_transfer(class: Class) -> Vec<TransferFact> {
    let asked = tftp::fact::Asked {
        peer: Peer::default(),
        operation: tftp::Operation::Write,
        class,
        begun_ns: 5,
    };
    vec![
        TransferFact::Begun { asked },
        TransferFact::Answered {
            asked,
            wait_ns: 3_000_000,
        },
        TransferFact::Agreed {
            block_size: 1_468,
            window_size: 4,
        },
        TransferFact::Moved {
            asked,
            sent: 7,
            received: 10_000,
            blocks: 2,
            retransmits: 3,
        },
        TransferFact::Failed {
            sender: tftp::fact::Sender::Client,
            code: 8,
        },
        TransferFact::Failed {
            sender: tftp::fact::Sender::Server,
            code: 77,
        },
        TransferFact::Ended {
            asked,
            outcome: tftp::Outcome::Complete,
            duration_ns: 40_000_000,
            at_ns: 40_000_005,
        },
        TransferFact::AnsweredLate,
        TransferFact::Dropped {
            asked,
            loss: Loss::Swept,
            at_ns: 9,
        },
    ]
}
