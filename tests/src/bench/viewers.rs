//! The daemon's time for a viewer, with much in flight.

use std::{net::Shutdown, path::Path, thread, time::Duration};

use anyhow::{Result, ensure};
use observer_user::{
    live::{
        client::Client,
        message::{Message, ROWS, Request, Snapshot},
    },
    top::FIRST_ROWS,
};

use super::{Figure, Report, crowd::Crowd, daemon::busy::during, ends::Verb, figure::Reach};
use crate::{netns::Netns, observer::Observer};

/// Requests in flight.
const ITEMS: usize = 12_000;
const SECOND: Duration = Duration::from_secs(1);
/// Seconds that are looked at; once in a while the daemon searches procfs in one of them.
const SECONDS: usize = 7;
/// Of what a viewer asks for: what it is, rows, and where the daemon's time for it is to be.
const VIEWERS: [(&str, usize, Option<f64>); 2] = [
    ("a viewer at 1 Hz, as `top` begins", FIRST_ROWS, Some(1.0)),
    ("a viewer of all rows at 1 Hz", ROWS, None),
];

/// Measures in so many rounds.
pub fn run(rounds: usize) -> Result<Report> {
    let netns = Netns::new("viewers")?;
    let mut crowd = Crowd::start(&netns, ITEMS)?;
    let arguments = crowd.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let observer = Observer::start(&arguments)?;
    crowd.connect(ITEMS, &mut || Ok(()))?;
    crowd.each_connection(Verb::Ask, 1, &mut || Ok(()))?;
    observer.until(|scrape| scrape.sum("http_requests_in_flight", &[]) == ITEMS as f64)?;
    let mut alone = Figure::new(format!("{ITEMS} requests in flight"), "% of a core");
    let mut viewed = VIEWERS.map(|(name, _, most)| {
        let figure = Figure::new(format!("  more with {name}"), "% of a core");
        match most {
            Some(most) => figure.reach(Reach::AtMost(most)),
            None => figure,
        }
    });
    for _ in 0..rounds {
        let share = rest(&observer)?;
        alone.values.push(share);
        for (figure, (_, rows, _)) in viewed.iter_mut().zip(VIEWERS) {
            let with = watched(&observer.live_socket()?, rows, || rest(&observer))?;
            // What it is without is measured right before and behind.
            let without = (share + rest(&observer)?) / 2.0;
            figure.values.push(with - without);
        }
    }
    observer.stop()?;
    Ok(Report {
        title: "viewers: what one costs the daemon",
        figures: [alone].into_iter().chain(viewed).collect(),
    })
}

/// In percent of a core, of the median second, with nothing to do but that.
fn rest(observer: &Observer) -> Result<f64> {
    let mut second = Figure::new("a second", "% of a core");
    for _ in 0..SECONDS {
        let ((), share, _) = during(observer, || {
            thread::sleep(SECOND);
            Ok(())
        })?;
        second.values.push(share);
    }
    let [_, median, _] = second.summary().unwrap_or_default();
    Ok(median)
}

/// Does something while somebody watches so many rows.
fn watched<T>(socket: &Path, rows: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let request = Request::Watch {
        interval_ms: 1_000,
        ended: true,
        rows,
    };
    let mut client = Client::ask(socket, &request)?;
    let end = client.handle()?;
    // What is made once, for a viewer that comes, is not of its staying.
    client.hear()?;
    let seen = thread::spawn(move || {
        let mut seen = 0;
        while let Ok(Some(message)) = client.hear() {
            let is_whole = |snapshot: &Snapshot| snapshot.rows.len() >= rows;
            seen += usize::from(matches!(message, Message::Snapshot(one) if is_whole(&one)));
        }
        seen
    });
    let done = work()?;
    // It may have ended by itself, which is seen.
    let _ = end.shutdown(Shutdown::Both);
    let seen = seen.join().unwrap_or_default();
    ensure!(seen >= 5, "a viewer saw {seen} snapshots only");
    Ok(done)
}
