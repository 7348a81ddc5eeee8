//! TFTP transfers. dnsmasq knows no windows, curl neither; atftpd and atftp do.
//!
//! Without windows the ends take turns. On two CPUs each turn wakes one that sleeps, which takes as
//! long as it likes: the same transfer was five times as fast as the next. They share one CPU.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::Instant,
};

use anyhow::{Result, bail, ensure};

use super::work::{Told, Work};
use crate::{
    cpu,
    latency::Latencies,
    load,
    netns::Netns,
    tftp::{
        client::Client,
        scripted::{Peer, ack, rrq},
        server::Server,
    },
};

const ATFTPD: u16 = 18_469;
const FILE: &str = "vmlinuz";
const BYTES: usize = 16 << 20;
/// A smaller one, and what is read of it.
const SMALL: (&str, usize) = ("pxelinux.0", 64 << 10);
const BLKSIZE: usize = 1_468;
/// At once, and how many each has.
const CLIENTS: usize = 4;
const TRANSFERS: usize = 500;

/// Both servers.
pub(super) struct Tftp<'a> {
    netns: &'a Netns,
    dnsmasq: Server,
    atftpd: Server,
}

impl<'a> Tftp<'a> {
    pub(super) fn start(netns: &'a Netns) -> Result<Self> {
        let files = [(FILE, BYTES), SMALL];
        Ok(Self {
            netns,
            dnsmasq: on_one_cpu(|| Server::dnsmasq(netns, &files, &[]))?,
            atftpd: Server::atftpd(netns, ATFTPD, &files)?,
        })
    }

    /// Where requests go.
    pub(super) fn ports(&self) -> [u16; 2] {
        [self.dnsmasq.port(), self.atftpd.port()]
    }

    pub(super) fn works(&self) -> Vec<Work<'_>> {
        let atftp = |blksize| Client::Atftp {
            blksize,
            windowsize: 16,
        };
        vec![
            Work {
                title: "harm: dnsmasq, 16 MiB, blocks of 512, one CPU",
                run: Box::new(move || self.in_turns(512, 2)),
            },
            Work {
                title: "harm: dnsmasq, 16 MiB, blocks of 1468, one CPU",
                run: Box::new(move || self.in_turns(1_468, 3)),
            },
            Work {
                title: "harm: atftpd, 16 MiB, blocks of 512, windows of 16",
                run: Box::new(move || self.fetch(&self.atftpd, atftp(512), 2)),
            },
            Work {
                title: "harm: atftpd, 16 MiB, blocks of 1468, windows of 16",
                run: Box::new(move || self.fetch(&self.atftpd, atftp(1_468), 4)),
            },
        ]
    }

    /// Many transfers, each timed.
    pub(super) fn timed(&self) -> Work<'_> {
        Work {
            title: "harm: dnsmasq, 64 KiB, blocks of 1468, 4 clients, one CPU",
            run: Box::new(|| {
                let served = on_one_cpu(|| load::serve(self.netns, CLIENTS, |_| self.one_client()));
                Ok(Told::served(&served?).to_vec())
            }),
        }
    }

    fn one_client(&self) -> Result<Latencies> {
        let mut latencies = Latencies::new()?;
        for _ in 0..TRANSFERS {
            let begun = Instant::now();
            let taken = self.transfer()?;
            latencies.record(begun.elapsed());
            ensure!(taken == SMALL.1, "{taken} of {} bytes", SMALL.1);
        }
        Ok(latencies)
    }

    /// Bytes of it. Nothing is lost on loopback, so nothing is sent again.
    fn transfer(&self) -> Result<usize> {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, self.dnsmasq.port()));
        let mut peer = Peer::client(self.netns, server)?;
        let blksize = BLKSIZE.to_string();
        peer.send(&rrq(SMALL.0.as_bytes(), "octet", &[("blksize", &blksize)]))?;
        let mut taken = 0;
        loop {
            let message = peer.receive()?;
            match message.as_slice() {
                [0, 6, ..] => peer.send(&ack(0))?,
                [0, 3, high, low, block @ ..] => {
                    peer.send(&ack(u16::from_be_bytes([*high, *low])))?;
                    taken += block.len();
                    if block.len() < BLKSIZE {
                        return Ok(taken);
                    }
                }
                other => bail!("{}", other.escape_ascii()),
            }
        }
    }

    fn in_turns(&self, blksize: u32, times: usize) -> Result<Vec<Told>> {
        on_one_cpu(|| self.fetch(&self.dnsmasq, Client::Curl { blksize }, times))
    }

    /// So often, one after the other.
    fn fetch(&self, server: &Server, client: Client, times: usize) -> Result<Vec<Told>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let begun = Instant::now();
        for _ in 0..times {
            let taken = client.get(self.netns, address, FILE)?;
            ensure!(taken == Some(BYTES as u64), "{client:?}: {taken:?}");
        }
        let bytes = (times * BYTES) as f64;
        let rate = bytes / begun.elapsed().as_secs_f64() / 1e6;
        Ok(vec![Told::rate(rate, "MB/s")])
    }
}

/// With the processes it starts.
fn on_one_cpu<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            cpu::stay_on_one()?;
            work()
        });
        thread
            .join()
            .map_err(|panic| std::panic::resume_unwind(panic))?
    })
}
