//! The daemon's memory and its scrapes, with nothing in flight and with much.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::{
    bench::{
        Figure,
        crowd::Crowd,
        ends::Verb,
        figure::Reach,
        usage::{Resident, resident},
    },
    client,
    netns::Netns,
    observer::Observer,
    scrape::Scrape,
};

/// Connections with a request in flight, and transfers under way.
const ITEMS: usize = 10_000;
/// Where all of memory is to be.
const RESIDENT: f64 = 24.0;

/// What is measured in one state.
struct Figures {
    memory: [Figure; 3],
    scrape: [Figure; 3],
}

impl Figures {
    fn new(state: &str) -> Self {
        let all = Figure::new(format!("resident, {state}"), "MiB");
        let mib = |name: &str| Figure::new(format!("  of that {name}"), "MiB");
        Self {
            memory: [
                all.reach(Reach::AtMost(RESIDENT)),
                mib("its own"),
                mib("of its program, libraries and rings"),
            ],
            scrape: [
                Figure::new(format!("a scrape, {state}"), "ms"),
                Figure::new("  its length", "KiB"),
                Figure::new("  its series", ""),
            ],
        }
    }

    fn add(&mut self, observer: &Observer) -> Result<()> {
        let Resident { all, own, mapped } = resident(observer.pid())?;
        for (figure, bytes) in self.memory.iter_mut().zip([all, own, mapped]) {
            figure.values.push(bytes as f64 / f64::from(1 << 20));
        }
        let begun = Instant::now();
        let answer = client::get(observer.address(), "/metrics")?;
        let took = begun.elapsed();
        let (_, body) = answer.split_once("\r\n\r\n").context("a head")?;
        let series = Scrape::parse(&answer)?.all().count();
        let values = [ms(took), body.len() as f64 / 1024.0, series as f64];
        for (figure, value) in self.scrape.iter_mut().zip(values) {
            figure.values.push(value);
        }
        Ok(())
    }

    fn all(self) -> impl Iterator<Item = Figure> {
        self.memory.into_iter().chain(self.scrape)
    }
}

pub(super) fn measure(netns: &Netns, rounds: usize) -> Result<Vec<Figure>> {
    let mut idle = Figures::new("idle");
    let mut crowded = Figures::new("10,000 requests and 10,000 transfers in flight");
    for _ in 0..rounds {
        let mut crowd = Crowd::start(netns, ITEMS)?;
        let arguments = crowd.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let observer = Observer::start(&arguments)?;
        // The first scrape makes the thread that encodes.
        observer.scrape()?;
        idle.add(&observer)?;
        fill(&mut crowd, &observer)?;
        crowded.add(&observer)?;
        empty(&mut crowd, &observer)?;
        observer.stop()?;
    }
    Ok(idle.all().chain(crowded.all()).collect())
}

fn fill(crowd: &mut Crowd, observer: &Observer) -> Result<()> {
    let drained = &mut || observer.scrape().map(drop);
    crowd.connect(ITEMS, &mut || Ok(()))?;
    crowd.each_connection(Verb::Ask, 1, &mut || Ok(()))?;
    crowd.begin(ITEMS, drained)?;
    crowd.each_transfer(Verb::Pair, 1, drained)?;
    observer.until(|scrape| in_flight(scrape) == [ITEMS as f64; 2])?;
    Ok(())
}

/// All that was in flight comes to its end.
fn empty(crowd: &mut Crowd, observer: &Observer) -> Result<()> {
    let drained = &mut || observer.scrape().map(drop);
    crowd.each_connection(Verb::Answer, 1, &mut || Ok(()))?;
    crowd.each_transfer(Verb::Finish, 1, drained)?;
    observer.until(|scrape| in_flight(scrape) == [0.0; 2])?;
    Ok(())
}

fn in_flight(scrape: &Scrape) -> [f64; 2] {
    ["http_requests_in_flight", "tftp_transfers_in_flight"].map(|name| scrape.sum(name, &[]))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
