//! The daemon's time for transfers that are under way: it looks at each once a second.

use std::{thread, time::Duration};

use anyhow::Result;

use crate::{
    bench::{Figure, crowd::Crowd, ends::Verb, usage::Busy},
    netns::Netns,
    observer::Observer,
};

const TRANSFERS: [usize; 4] = [0, 1_000, 10_000, 20_000];
const WINDOW: Duration = Duration::from_secs(3);

pub(super) fn measure(netns: &Netns, rounds: usize) -> Result<Vec<Figure>> {
    let mut crowd = Crowd::start(netns, TRANSFERS[TRANSFERS.len() - 1])?;
    let arguments = crowd.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let observer = Observer::start(&arguments)?;
    let (mut idle, mut figures) = (0.0, Vec::new());
    for transfers in TRANSFERS {
        crowd.begin(transfers, &mut || observer.scrape().map(drop))?;
        let mut share = Figure::new(format!("daemon, {transfers} transfers"), "% of a core");
        // What comes of their beginning is not of their going on.
        share_of_a_core(&observer)?;
        for _ in 0..rounds {
            // So that none is silent for too long.
            crowd.each_transfer(Verb::Pair, 1, &mut || Ok(()))?;
            share.values.push(share_of_a_core(&observer)?);
        }
        let [_, median, _] = share.summary().unwrap_or_default();
        figures.push(share);
        if transfers == 0 {
            idle = median;
        } else {
            // Percent of a second are tens of milliseconds.
            let ns = (median - idle) * 1e7 / transfers as f64;
            let mut each = Figure::new("  for each, a second", "ns");
            each.values.push(ns);
            figures.push(each);
        }
    }
    observer.stop()?;
    Ok(figures)
}

fn share_of_a_core(observer: &Observer) -> Result<f64> {
    let before = Busy::of(observer.pid())?;
    thread::sleep(WINDOW);
    let busy = Busy::of(observer.pid())?.since(&before);
    Ok(100.0 * busy.as_secs_f64() / WINDOW.as_secs_f64())
}
