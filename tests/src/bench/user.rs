//! What user space makes of events: nanoseconds by stage, without the kernel.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use observer_user::{
    metrics::{Metrics, Tally},
    model::{
        classify::Classifier,
        event::Event,
        journal::Journal,
        totals::Totals,
        track::Tracker,
        verdict::{Thresholds, Verdict},
    },
};
use programs::traffic;

use super::{Figure, Report, figure::Reach};

const CONNECTIONS: u16 = 1_000;
const REQUESTS: u32 = 40;
/// Events between two recordings, as a drain at 10,000 requests a second has.
const DRAIN: usize = 200;

/// Measures in so many rounds.
pub fn run(rounds: usize) -> Result<Report> {
    let records = traffic::keep_alive(CONNECTIONS, REQUESTS);
    // Connections are known from then on.
    let (first, rest) = records.split_at(records.len() / 2);
    let mut decode = Figure::new("an event, decoded", "ns");
    let mut track = Figure::new("an event, tracked and classified", "ns");
    let mut record = Figure::new("an event, recorded", "ns");
    let mut keep = Figure::new("an event, kept for viewers and the verdict", "ns");
    let all = Figure::new("a request, from its events to its metrics", "ns");
    let mut all = all.reach(Reach::AtMost(1_000.0));
    let rate = Figure::new("events", "1/s");
    let mut rate = rate.reach(Reach::AtLeast(1_000_000.0));
    for _ in 0..rounds {
        let begun = Instant::now();
        let decoded = rest.iter().filter(|record| Event::decode(record).is_some());
        let events = decoded.count();
        decode.values.push(per(begun.elapsed(), events));

        let mut consumer = Consumer::new();
        consumer.take(first)?;
        (consumer.tracking, consumer.keeping, consumer.recording) = Default::default();
        let begun = Instant::now();
        consumer.take(rest)?;
        let elapsed = begun.elapsed();
        track.values.push(per(consumer.tracking, events));
        keep.values.push(per(consumer.keeping, events));
        record.values.push(per(consumer.recording, events));
        all.values.push(per(elapsed, events / 2));
        rate.values.push(events as f64 / elapsed.as_secs_f64());
    }
    Ok(Report {
        title: "user: keep-alive requests over 1,000 connections, one consumer",
        figures: vec![decode, track, keep, record, all, rate],
    })
}

fn per(elapsed: Duration, count: usize) -> f64 {
    elapsed.as_nanos() as f64 / count as f64
}

/// As the daemon does it, but for the kernel's calls.
struct Consumer {
    tracker: Tracker,
    metrics: Metrics,
    tally: Tally,
    journal: Journal,
    totals: Totals,
    verdict: Verdict,
    tracking: Duration,
    keeping: Duration,
    recording: Duration,
}

impl Consumer {
    fn new() -> Self {
        let classifier = Arc::new(Classifier::generic());
        Self {
            metrics: Metrics::new(classifier.endpoints()),
            journal: Journal::new(classifier.other()),
            totals: Totals::default(),
            verdict: Verdict::new(classifier.endpoints(), Thresholds::default()),
            tracker: Tracker::new(classifier),
            tally: Tally::default(),
            tracking: Duration::ZERO,
            keeping: Duration::ZERO,
            recording: Duration::ZERO,
        }
    }

    fn take(&mut self, records: &[Vec<u8>]) -> Result<()> {
        for drain in records.chunks(DRAIN) {
            let begun = Instant::now();
            for record in drain {
                let event = Event::decode(record).context("one of ours")?;
                self.tally.event(event.kind);
                self.tracker.on_event(&event, &mut self.tally.facts);
            }
            self.tracker.due(false);
            let tracked = begun.elapsed();
            for fact in &self.tally.facts {
                self.totals.on_fact(fact);
                self.journal.on_fact(fact);
                self.verdict.on_fact(fact);
            }
            let kept = begun.elapsed();
            self.metrics.record(&mut self.tally);
            self.tracking += tracked;
            self.keeping += kept - tracked;
            self.recording += begun.elapsed() - kept;
        }
        Ok(())
    }
}
