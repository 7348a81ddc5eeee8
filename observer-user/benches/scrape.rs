//! What a scrape costs: encoding, the rewriting to text/plain, and bringing concurrency up to date.

use std::{hint::black_box, sync::Arc};

use divan::{Bencher, counter::ItemsCount};
use observer_common::conn::Tuple;
use observer_user::{
    metrics::{Exposition, Format, Metrics, Tally},
    model::{
        classify::{Access, Class, Classifier, MAX_ENDPOINTS, Proto, Subject},
        fact::{Asked, ExchangeId, Fact, Outcome, Phases},
        http::{Method, Status},
        in_flight::InFlight,
        track::Live,
    },
};

fn main() {
    divan::main();
}

/// Those of the built-in profiles, and as many as there can be.
fn endpoints() -> [usize; 3] {
    let count = |classifier: Classifier| classifier.endpoints().len();
    [
        count(Classifier::dragonfly()),
        count(Classifier::generic()),
        MAX_ENDPOINTS,
    ]
}

#[divan::bench(args = endpoints())]
fn encode(bencher: Bencher<'_, '_>, endpoints: usize) {
    let mut metrics = busy(endpoints);
    let series = lines(&encoded(&mut metrics));
    bencher
        .counter(ItemsCount::new(series))
        .bench_local(|| black_box(encoded(&mut metrics)));
}

#[divan::bench(args = endpoints())]
fn rewrite_as_plain(bencher: Bencher<'_, '_>, endpoints: usize) {
    let mut metrics = busy(endpoints);
    bencher
        .with_inputs(|| encoded(&mut metrics))
        .bench_local_values(|exposition| black_box(exposition.text(Format::Plain).len()));
}

/// What 100,000 requests/s leave to be put in order each second.
#[divan::bench]
fn put_in_order(bencher: Bencher<'_, '_>) {
    let class = class(&Classifier::dragonfly(), "/images/a.raw");
    let facts: Vec<Fact> = (0..50_000)
        .flat_map(|n| {
            let (from, until) = (n * 20_000, n * 20_000 + 300_000);
            let id = ExchangeId { cookie: n, turn: 1 };
            let asked = asked(class, from);
            [
                Fact::Begun { id, asked },
                ended(id, asked, 200, until - from),
            ]
        })
        .collect();
    let filled = || {
        let mut in_flight = InFlight::new(0);
        for fact in &facts {
            in_flight.on_fact(fact, 1_000_000_000);
        }
        in_flight
    };
    bencher
        .with_inputs(filled)
        .bench_local_values(|mut in_flight| {
            in_flight.advance(&Live::default(), 2_000_000_000);
            in_flight
        });
}

/// Everything in use: at each endpoint all the pairs of method and status that there is room for.
fn busy(endpoints: usize) -> Metrics {
    let classifier = classifier(endpoints);
    let mut metrics = Metrics::new(classifier.endpoints());
    let mut tally = Tally::default();
    let id = ExchangeId { cookie: 1, turn: 1 };
    for n in 0..endpoints {
        let asked = asked(class(&classifier, &format!("/{n}/a")), 0);
        for code in 100..600 {
            tally.facts.push(ended(id, asked, code, 123_456_789));
        }
    }
    metrics.record(&mut tally);
    metrics
}

/// One for each first segment of a path; the last is what fits none.
fn classifier(endpoints: usize) -> Classifier {
    let rule = |n| format!("[[rule]]\nid = \"r{n}\"\nendpoint = \"e{n}\"\npath = ['^{n}/']\n");
    let rules: String = (1..endpoints).map(rule).collect();
    Classifier::from_toml(&rules).expect("rules")
}

fn class(classifier: &Classifier, target: &str) -> Class {
    classifier.classify(Subject {
        proto: Proto::Http,
        access: Access::Read,
        target: target.as_bytes(),
    })
}

fn asked(class: Class, begun_ns: u64) -> Asked {
    Asked {
        tuple: Tuple::default(),
        method: Method::Get,
        class,
        begun_ns,
        line_ns: begun_ns,
    }
}

fn ended(id: ExchangeId, asked: Asked, code: u16, handle: u64) -> Fact {
    Fact::Ended {
        id,
        asked,
        status: Status::new(code),
        phases: Phases {
            handle,
            ..Phases::default()
        },
        response_bytes: 0,
        outcome: Outcome::Complete,
        sampled_ns: 0,
    }
}

fn encoded(metrics: &mut Metrics) -> Arc<Exposition> {
    Arc::new(metrics.encode().expect("encoded"))
}

fn lines(exposition: &Exposition) -> usize {
    let text = exposition.text(Format::Plain);
    text.lines().filter(|line| !line.starts_with('#')).count()
}
