//! TFTP transfers. dnsmasq knows no windows, curl neither; atftpd and atftp do.
//!
//! Without windows the ends take turns. On two CPUs each turn wakes one that sleeps, which takes as
//! long as it likes: the same transfer was five times as fast as the next. They share one CPU.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::Instant,
};

use anyhow::{Result, ensure};

use super::work::{Told, Work};
use crate::{
    cpu,
    netns::Netns,
    tftp::{client::Client, server::Server},
};

const ATFTPD: u16 = 18_469;
const FILE: &str = "vmlinuz";
const BYTES: usize = 16 << 20;

/// Both servers.
pub(super) struct Tftp<'a> {
    netns: &'a Netns,
    dnsmasq: Server,
    atftpd: Server,
}

impl<'a> Tftp<'a> {
    pub(super) fn start(netns: &'a Netns) -> Result<Self> {
        let files = [(FILE, BYTES)];
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
