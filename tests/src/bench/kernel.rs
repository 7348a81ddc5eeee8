//! Nanoseconds of the programs, by what they do: from the kernel's own count of their time
//! (as of `kernel.bpf_stats_enabled`), less what a program costs there that does nothing.
//!
//! Both ends of the traffic are on this host, so that half the runs are at a client's socket. The
//! same traffic to a port that is not watched says what those cost; they are taken off.

use anyhow::Result;
use observer_user::kernel::Settings;

use super::{Figure, Report, clock::Clock, figure::Reach, tftp::Tftp, traffic::Http};
use crate::{cpu, netns::Netns};

/// Live connections, used in turn; both ends of each are open files of one process.
const LIVE: [usize; 3] = [1, 1_000, 9_000];
const REQUESTS: usize = 20_000;
const NEW_CONNECTIONS: usize = 5_000;
/// Of them, between two drains.
const STEP: usize = 2_500;
const PIECES: usize = 8_000;
const PAIRS: usize = 40_000;

/// Measures in so many rounds.
pub fn run(rounds: usize) -> Result<Report> {
    let netns = Netns::new("bench")?;
    let figures = netns.inside(|| {
        cpu::stay_on_one()?;
        measure(rounds)
    })??;
    Ok(Report {
        title: "kernel: net time of all programs at the server's side",
        figures,
    })
}

fn measure(rounds: usize) -> Result<Vec<Figure>> {
    let (mut http, mut unwatched) = (Http::new()?, Http::new()?);
    let (mut tftp, mut other_tftp) = (Tftp::new()?, Tftp::new()?);
    let settings = Settings {
        http_ports: vec![http.port()?],
        tftp_ports: vec![tftp.port()?],
        ..Settings::default()
    };
    let mut clock = Clock::start(&settings)?;
    let mut unwatched_packet = figure("a packet of an unwatched port", 7.0);
    let mut bulk = figure("a packet of a bulk answer, its part of ACKs included", 35.0);
    let mut pair = figure("a TFTP DATA and its ACK", 100.0);
    let mut one_request = figure("a connection for one request", 1_000.0);
    let mut kept = LIVE.map(|live| {
        let reach = if live > 1_000 { 450.0 } else { 300.0 };
        figure(format!("a request, {live} live connections"), reach)
    });
    tftp.begin(1)?;
    other_tftp.begin(1)?;
    for _ in 0..rounds {
        let control = clock.time(|| unwatched.bulk(PIECES))?;
        unwatched_packet.values.push(control.ns / control.packets);
        let took = clock.time(|| http.bulk(PIECES))?;
        let net = took.ns - control.ns / control.packets * took.packets / 2.0;
        bulk.values.push(net / (took.packets / 2.0));

        let control = clock.time(|| other_tftp.pairs(PAIRS))?;
        let took = clock.time(|| tftp.pairs(PAIRS))?;
        pair.values
            .push((took.ns - control.ns / 2.0) / PAIRS as f64);

        let control = clock.time(|| unwatched.new_connections(NEW_CONNECTIONS))?;
        let took = clock.time_steps(|drain| {
            in_steps(NEW_CONNECTIONS, drain, |some| http.new_connections(some))
        })?;
        let net = took.ns - control.ns / 2.0;
        one_request.values.push(net / NEW_CONNECTIONS as f64);
    }
    unwatched.hold(1)?;
    for (live, figure) in LIVE.into_iter().zip(&mut kept) {
        http.hold(live)?;
        for _ in 0..rounds {
            let control = clock.time(|| unwatched.keep_alive(REQUESTS))?;
            let took = clock
                .time_steps(|drain| in_steps(REQUESTS, drain, |some| http.keep_alive(some)))?;
            let net = took.ns - control.ns / 2.0;
            figure.values.push(net / REQUESTS as f64);
        }
    }
    let mut figures = vec![unwatched_packet, bulk, pair, one_request];
    figures.extend(kept);
    Ok(figures)
}

/// Requests, between two drains no more than fit in the ring with what they tell.
fn in_steps(
    requests: usize,
    drain: &mut dyn FnMut(),
    mut traffic: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    for begun in (0..requests).step_by(STEP) {
        traffic(STEP.min(requests - begun))?;
        drain();
    }
    Ok(())
}

fn figure(name: impl Into<String>, at_most: f64) -> Figure {
    Figure::new(name, "ns").reach(Reach::AtMost(at_most))
}
