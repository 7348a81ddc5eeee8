//! What the ring could hold: any records, in any order.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use observer_user::model::{classify::Classifier, event::Event, fact::Fact, track::Tracker};

static CLASSIFIER: LazyLock<Arc<Classifier>> = LazyLock::new(|| Arc::new(Classifier::dragonfly()));

/// The header and some captured bytes.
const RECORD: usize = 320;

fuzz_target!(|bytes: &[u8]| {
    let mut tracker = Tracker::new(Arc::clone(&CLASSIFIER));
    let mut facts = Vec::new();
    for record in bytes.chunks(RECORD) {
        if let Some(event) = Event::decode(record) {
            tracker.on_event(&event, &mut facts);
        }
    }
    let begun = facts
        .iter()
        .filter(|fact| matches!(fact, Fact::Begun { .. }))
        .count();
    let ended = facts
        .iter()
        .filter(|fact| matches!(fact, Fact::Ended { .. }))
        .count();
    assert!(ended <= begun);
    assert!(tracker.live().in_flight.iter().sum::<u64>() <= (begun - ended) as u64);
});
