//! What the daemon's own process takes: time to start, processor time, memory, and a scrape.

pub(super) mod busy;
mod crowded;

use std::time::Instant;

use anyhow::Result;

use super::{Figure, Report, figure::Reach};
use crate::{netns::Netns, observer::Observer};

/// Measures in so many rounds.
pub fn run(rounds: usize) -> Result<Report> {
    let netns = Netns::new("daemon")?;
    let mut figures = vec![start(rounds)?];
    figures.extend(busy::measure(&netns, rounds)?);
    figures.extend(crowded::measure(&netns, rounds)?);
    Ok(Report {
        title: "daemon: what its process takes",
        figures,
    })
}

/// Until everything is attached.
fn start(rounds: usize) -> Result<Figure> {
    let mut figure = Figure::new("from its start to attached", "ms").reach(Reach::AtMost(200.0));
    for _ in 0..rounds {
        let begun = Instant::now();
        let observer = Observer::start(&[])?;
        figure.values.push(begun.elapsed().as_secs_f64() * 1e3);
        observer.stop()?;
    }
    Ok(figure)
}
