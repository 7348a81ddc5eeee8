//! What a request that is kept alive allocates, from its events to its metrics: the same on every
//! machine, so a change is meant or a regression.
//!
//! A binary of its own, as counting takes the place of the global allocator.

use std::sync::Arc;

use observer_user::{
    metrics::{Metrics, Tally},
    model::{classify::Classifier, event::Event, track::Tracker},
};
use programs::traffic;

const CONNECTIONS: u16 = 50;
const REQUESTS: u32 = 20;

#[test]
fn a_request_allocates_nothing() {
    let records = traffic::keep_alive(CONNECTIONS, REQUESTS);
    let (first, rest) = records.split_at(records.len() / 2);
    let classifier = Arc::new(Classifier::generic());
    let mut metrics = Metrics::new(classifier.endpoints());
    let (mut tracker, mut tally) = (Tracker::new(classifier), Tally::default());
    let mut take = |records: &[Vec<u8>]| {
        for drain in records.chunks(100) {
            for record in drain {
                let event = Event::decode(record).expect("one of ours");
                tally.event(event.kind);
                tracker.on_event(&event, &mut tally.facts);
            }
            tracker.due(false);
            metrics.record(&mut tally);
        }
    };
    // Connections are known from then on, and buffers have their size.
    take(first);
    let counted = allocation_counter::measure(|| take(rest));
    assert_eq!(counted.count_total, 0);
}
