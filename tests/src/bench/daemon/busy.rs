//! Processor time of the daemon, with nothing to do and at rates of requests.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    bench::{Figure, figure::Reach, paced, traffic::Http, usage::Busy},
    netns::Netns,
    observer::Observer,
};

const IDLE: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(3);
const RATES: [u32; 3] = [1_000, 10_000, 50_000];
const CONNECTIONS: usize = 1_000;

/// What is measured of one rate.
struct Figures {
    rate: u32,
    reached: Figure,
    share: Figure,
    request: Figure,
}

impl Figures {
    fn new(rate: u32) -> Self {
        let share = Figure::new(format!("processor, at {rate} requests/s"), "% of a core");
        Self {
            rate,
            reached: Figure::new("  the rate it was", "1/s"),
            share: if rate == 10_000 {
                share.reach(Reach::AtMost(1.0))
            } else {
                share
            },
            request: Figure::new("  of a request", "ns"),
        }
    }
}

pub(super) fn measure(netns: &Netns, rounds: usize) -> Result<Vec<Figure>> {
    let mut http = netns.inside(Http::new)??;
    let port = http.port()?.to_string();
    let observer = Observer::start(&["--http-port", &port])?;
    netns.inside(|| http.hold(CONNECTIONS))??;
    let mut idle = Figure::new("processor, idle", "% of a core");
    let mut rates = RATES.map(Figures::new);
    for _ in 0..rounds {
        let ((), share, _) = during(&observer, || {
            thread::sleep(IDLE);
            Ok(())
        })?;
        idle.values.push(share);
        for of in &mut rates {
            let (rate, share, busy) = during(&observer, || {
                netns.inside(|| paced::run(&mut http, of.rate, WINDOW))?
            })?;
            of.reached.values.push(rate);
            of.share.values.push(share);
            let requests = rate * WINDOW.as_secs_f64();
            of.request.values.push(busy.as_nanos() as f64 / requests);
        }
    }
    observer.stop()?;
    let rates = rates.into_iter();
    let rates = rates.flat_map(|of| [of.share, of.reached, of.request]);
    Ok(std::iter::once(idle).chain(rates).collect())
}

/// What something returns, and the daemon's time meanwhile: in percent of a core, and all of it.
pub(in crate::bench) fn during<T>(
    observer: &Observer,
    something: impl FnOnce() -> Result<T>,
) -> Result<(T, f64, Duration)> {
    let (before, begun) = (Busy::of(observer.pid())?, Instant::now());
    let value = something()?;
    let (busy, elapsed) = (Busy::of(observer.pid())?.since(&before), begun.elapsed());
    Ok((
        value,
        100.0 * busy.as_secs_f64() / elapsed.as_secs_f64(),
        busy,
    ))
}
