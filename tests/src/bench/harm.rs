//! What servers and their clients notice: the rate of the same work without us, with us, and without
//! us again. The two without are the control: where they differ, the machine did, and the comparison
//! is not to be used.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{Figure, Report, figure::Reach};
use crate::{
    client, load::Load, netns::Netns, nginx::Nginx, observer::Observer, tftp::server::Server,
};

const PORT: u16 = 18_400;
const SMALL: &str = "/boot/script";
const LARGE: &str = "/images/large.img";
const LARGE_BYTES: usize = 256 << 20;
const TFTP_BYTES: usize = 16 << 20;
const REQUESTS: usize = 3_000;
const CONNECTIONS: usize = 16;
const THREADS: usize = 2;
/// How much the two without us may differ.
const CONTROL: f64 = 0.05;
/// A server that says nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Something that is done again and again.
struct Work<'a> {
    name: &'static str,
    /// Does it, and says how much of it a second.
    rate: Box<dyn Fn() -> Result<f64> + 'a>,
}

/// Measures in so many rounds.
pub fn run(rounds: usize) -> Result<Report> {
    let netns = Netns::new("harm")?;
    let files = [(SMALL, 1_024), (LARGE, LARGE_BYTES)];
    let nginx = Nginx::start(&netns, PORT, &files)?;
    let tftp = Server::dnsmasq(&netns, &[("vmlinuz", TFTP_BYTES)], &[])?;
    let mut figures = Vec::new();
    for work in works(&netns, tftp.port()) {
        figures.extend(compare(&work, rounds, tftp.port())?);
    }
    nginx.stop()?;
    Ok(Report {
        title: "harm: the rate with us, of the rate without",
        figures,
    })
}

fn works(netns: &Netns, tftp: u16) -> Vec<Work<'_>> {
    let tftp = move |blksize: &'static str| -> Box<dyn Fn() -> Result<f64> + '_> {
        Box::new(move || tftp_rate(netns, tftp, blksize))
    };
    vec![
        Work {
            name: "1 KiB, connections kept",
            rate: Box::new(|| kept_rate(netns)),
        },
        Work {
            name: "1 KiB, a connection each",
            rate: Box::new(|| connection_rate(netns)),
        },
        Work {
            name: "256 MiB by sendfile",
            rate: Box::new(|| bulk_rate(netns)),
        },
        Work {
            name: "16 MiB by TFTP, blocks of 512",
            rate: tftp("512"),
        },
        Work {
            name: "16 MiB by TFTP, blocks of 1468",
            rate: tftp("1468"),
        },
    ]
}

fn compare(work: &Work<'_>, rounds: usize, tftp: u16) -> Result<[Figure; 2]> {
    let with = Figure::new(work.name, "x").reach(Reach::AtLeast(0.98));
    let (mut with, mut control) = (with, Figure::new("  without us, twice", "x"));
    (work.rate)()?;
    for _ in 0..rounds {
        let before = (work.rate)()?;
        let (http, tftp) = (PORT.to_string(), tftp.to_string());
        let observer = Observer::start(&["--http-port", &http, "--tftp-port", &tftp])?;
        let meanwhile = (work.rate)()?;
        observer.stop()?;
        let after = (work.rate)()?;
        with.values.push(meanwhile / f64::midpoint(before, after));
        control.values.push(after / before);
    }
    let off = control
        .summary()
        .map_or(1.0, |[_, median, _]| (median - 1.0).abs());
    with.is_usable = off <= CONTROL;
    Ok([with, control])
}

fn server() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, PORT).into()
}

fn kept_rate(netns: &Netns) -> Result<f64> {
    let load = Load {
        server: server(),
        path: SMALL,
        threads: THREADS,
        connections: CONNECTIONS,
        rounds: REQUESTS,
    };
    Ok(load.run(netns)?.rate)
}

fn connection_rate(netns: &Netns) -> Result<f64> {
    let begun = Instant::now();
    thread::scope(|scope| {
        let one = || {
            netns
                .inside(|| (0..REQUESTS).try_for_each(|_| client::get(server(), SMALL).map(drop)))?
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .map_err(|panic| std::panic::resume_unwind(panic))?
        })
    })?;
    Ok((THREADS * REQUESTS) as f64 / begun.elapsed().as_secs_f64())
}

fn bulk_rate(netns: &Netns) -> Result<f64> {
    netns.inside(|| {
        let begun = Instant::now();
        let (mut stream, mut room) = (client::ask(server(), LARGE)?, vec![0; 1 << 18]);
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut taken = 0;
        loop {
            match stream.read(&mut room)? {
                0 => break,
                read => taken += read,
            }
        }
        ensure!(taken > LARGE_BYTES, "{taken} bytes of {LARGE_BYTES}");
        Ok(taken as f64 / begun.elapsed().as_secs_f64())
    })?
}

fn tftp_rate(netns: &Netns, port: u16, blksize: &str) -> Result<f64> {
    let begun = Instant::now();
    let mut curl = netns.command("curl");
    let url = format!("tftp://127.0.0.1:{port}/vmlinuz");
    curl.args(["--silent", "--fail", "--output", "/dev/null"])
        .args(["--tftp-blksize", blksize, &url])
        .stdin(Stdio::null());
    let status = curl.status().context("start curl")?;
    ensure!(status.success(), "curl: {status}");
    Ok(TFTP_BYTES as f64 / begun.elapsed().as_secs_f64())
}
