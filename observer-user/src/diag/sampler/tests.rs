use std::{collections::BTreeSet, net::TcpListener};

use super::*;

fn total(errors: &Errors, failure: Failure) -> u64 {
    let mut totals = errors.totals();
    totals
        .find_map(|(known, total)| (known == failure).then_some(total))
        .expect("each has a total")
}

#[test]
fn a_question_has_its_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("bound").port();
    let errors = Arc::new(Errors::default());
    let sampler = Sampler::start(Arc::clone(&errors)).expect("a thread");
    let wanted = Wanted {
        tcp: BTreeSet::from([port]),
        ..Wanted::default()
    };
    assert!(sampler.take().is_none());
    assert!(sampler.ask(wanted.clone()));
    let sample = sampler.samples.recv().expect("a sample");
    assert_eq!(sample.wanted, wanted);
    assert_eq!(sample.listeners.expect("read").len(), 1);
    assert_eq!(sample.udp, Some(Vec::new()));
    assert_eq!(total(&errors, Failure::ListenQueues), 0);
}

/// Two questions and two answers are all that ever waits.
#[test]
fn who_asks_never_waits() {
    let sampler = Sampler::start(Arc::default()).expect("a thread");
    let asked = (0..1_000)
        .filter(|_| sampler.ask(Wanted::default()))
        .count();
    assert!((1..=1_000).contains(&asked));
    let mut left = asked;
    while left > 0 {
        sampler.samples.recv().expect("one for each");
        left -= 1;
    }
    assert!(sampler.take().is_none());
}
