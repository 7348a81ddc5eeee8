//! nginx and its clients.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    paced::Paced,
    work::{Told, Work},
};
use crate::{
    client,
    latency::Latencies,
    load::{self, Load, Served},
    netns::Netns,
    nginx::Nginx,
};

pub(super) const PORT: u16 = 18_400;
const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, PORT);
const SMALL: &str = "/boot/script";
const PART: &str = "/images/part.img";
const PART_BYTES: usize = 8 << 20;
const LARGE: &str = "/images/large.img";
const LARGE_BYTES: usize = 256 << 20;
/// As many as wait for the server at any time.
const THREADS: usize = 2;
const NEW_CONNECTIONS: usize = 5_000;
const PACED_REQUESTS: u32 = 3_000;
const PACED_CONNECTIONS: u32 = 10;
/// 10,000 a second.
const PACED_INTERVAL: Duration = Duration::from_micros(100);

/// A server with its files.
pub(super) struct Http<'a> {
    netns: &'a Netns,
    nginx: Nginx,
}

impl<'a> Http<'a> {
    pub(super) fn start(netns: &'a Netns) -> Result<Self> {
        let files = [(SMALL, 1_024), (PART, PART_BYTES), (LARGE, LARGE_BYTES)];
        let nginx = Nginx::start(netns, PORT, &files)?;
        Ok(Self { netns, nginx })
    }

    /// Ends it.
    pub(super) fn stop(self) -> Result<()> {
        self.nginx.stop().map(drop)
    }

    /// Many answers, each timed.
    pub(super) fn timed(&self) -> Vec<Work<'_>> {
        let mut works = self.small();
        works.push(Work {
            title: "harm: nginx, 8 MiB by sendfile, 4 connections kept, as much as it can",
            run: Box::new(|| self.parts()),
        });
        works
    }

    pub(super) fn works(&self) -> Vec<Work<'_>> {
        let mut works = self.small();
        works.push(Work {
            title: "harm: nginx, 256 MiB by sendfile",
            run: Box::new(|| self.bulk()),
        });
        works
    }

    fn small(&self) -> Vec<Work<'_>> {
        vec![
            Work {
                title: "harm: nginx, 1 KiB, 32 connections kept, as much as it can",
                run: Box::new(|| self.kept()),
            },
            Work {
                title: "harm: nginx, 1 KiB, connections kept, 10,000 requests/s",
                run: Box::new(|| self.paced()),
            },
            Work {
                title: "harm: nginx, 1 KiB, a connection each, as much as it can",
                run: Box::new(|| self.connections()),
            },
        ]
    }

    fn kept(&self) -> Result<Vec<Told>> {
        self.load(SMALL, 16, 2_500)
    }

    fn parts(&self) -> Result<Vec<Told>> {
        self.load(PART, 2, 300)
    }

    /// Of each thread.
    fn load(&self, path: &str, connections: usize, rounds: usize) -> Result<Vec<Told>> {
        let load = Load {
            server: SERVER.into(),
            path,
            threads: THREADS,
            connections,
            rounds,
        };
        let (served, cpu) = self.watch(|| load.run(self.netns))?;
        Ok(told(&served, cpu).to_vec())
    }

    fn paced(&self) -> Result<Vec<Told>> {
        let load = Paced {
            server: SERVER.into(),
            path: SMALL,
            connections: PACED_CONNECTIONS,
            requests: PACED_REQUESTS,
            interval: PACED_INTERVAL,
        };
        let (served, cpu) = self.watch(|| load.run(self.netns))?;
        // How many a second is not the server's to say.
        let [_rate, others @ ..] = told(&served, cpu);
        Ok(others.to_vec())
    }

    fn connections(&self) -> Result<Vec<Told>> {
        let one = |_| {
            let mut latencies = Latencies::new()?;
            for _ in 0..NEW_CONNECTIONS {
                let begun = Instant::now();
                client::get(SERVER.into(), SMALL)?;
                latencies.record(begun.elapsed());
            }
            Ok(latencies)
        };
        let (served, cpu) = self.watch(|| load::serve(self.netns, THREADS, one))?;
        Ok(told(&served, cpu).to_vec())
    }

    fn bulk(&self) -> Result<Vec<Told>> {
        let begun = Instant::now();
        let taken = self.netns.inside(|| download(SERVER.into()))??;
        ensure!(taken > LARGE_BYTES, "{taken} bytes of {LARGE_BYTES}");
        let rate = taken as f64 / begun.elapsed().as_secs_f64() / 1e6;
        Ok(vec![Told::rate(rate, "MB/s")])
    }

    /// What the server's workers take for it, too.
    fn watch(&self, load: impl FnOnce() -> Result<Served>) -> Result<(Served, Duration)> {
        let before = self.nginx.cpu()?;
        let served = load()?;
        Ok((served, self.nginx.cpu()? - before))
    }
}

fn told(served: &Served, cpu: Duration) -> [Told; 5] {
    let cpu = Told {
        name: "the server's CPU, a request",
        unit: "us",
        value: cpu.as_secs_f64() * 1e6 / served.latencies.answers() as f64,
    };
    let [rate, p50, p99, p999] = Told::served(served);
    [rate, p50, p99, p999, cpu]
}

/// Head included.
fn download(server: SocketAddr) -> Result<usize> {
    let (mut stream, mut room) = (client::ask(server, LARGE)?, vec![0; 1 << 18]);
    let mut taken = 0;
    loop {
        match stream.read(&mut room)? {
            0 => return Ok(taken),
            read => taken += read,
        }
    }
}
