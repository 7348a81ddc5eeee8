//! The programs' own time: what traffic took of it, less what a program costs there that does
//! nothing.

use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result, ensure};
use aya::sys::{Stats, enable_stats};
use observer_common::event::KINDS;
use observer_user::kernel::{Kernel, Settings};

use super::empty::Empty;

/// What is measured, and the clock of it.
pub(super) struct Clock {
    kernel: Kernel,
    empty: Empty,
    /// The kernel counts while it is open, whoever else lets it count.
    _counting: OwnedFd,
}

/// What traffic took of the programs.
#[derive(Clone, Copy)]
pub(super) struct Took {
    /// Net of what calls cost.
    pub(super) ns: f64,
    /// Of the packet programs.
    pub(super) packets: f64,
}

impl Clock {
    /// Attaches the programs, and one beside them that does nothing.
    pub(super) fn start(settings: &Settings) -> Result<Self> {
        Ok(Self {
            kernel: Kernel::attach(settings)?,
            empty: Empty::attach()?,
            _counting: enable_stats(Stats::RunTime).context("let the kernel count")?,
        })
    }

    /// Takes what was told, so that the rings have room.
    pub(super) fn drain(&mut self) {
        self.kernel.drain(|_| ());
        self.kernel.drain_transfers(|_| ());
    }

    /// What some traffic takes. An error if it tells more than a ring holds: where that is full,
    /// the programs do other work.
    pub(super) fn time(&mut self, traffic: impl FnOnce() -> Result<()>) -> Result<Took> {
        self.time_steps(|_| traffic())
    }

    /// The same of traffic that lets the rings be drained.
    pub(super) fn time_steps(
        &mut self,
        traffic: impl FnOnce(&mut dyn FnMut()) -> Result<()>,
    ) -> Result<Took> {
        self.drain();
        let (before, full) = (self.totals()?, self.ring_full());
        traffic(&mut || self.drain())?;
        let (after, full) = (self.totals()?, self.ring_full() - full);
        ensure!(full == 0, "{full} events found their ring full");
        let [runs, ns, packets, empty_ns] = [0, 1, 2, 3].map(|at| (after[at] - before[at]) as f64);
        self.drain();
        Ok(Took {
            ns: ns - runs * (empty_ns / packets),
            packets,
        })
    }

    fn ring_full(&self) -> u64 {
        (0..KINDS).map(|kind| self.kernel.ring_full(kind)).sum()
    }

    fn totals(&self) -> Result<[u64; 4]> {
        let (mut runs, mut ns) = (0, 0);
        for of in self.kernel.runs() {
            runs += of.runs;
            ns += u64::try_from(of.time.as_nanos())?;
        }
        let (empty_runs, empty_ns) = self.empty.totals()?;
        Ok([runs, ns, empty_runs, empty_ns])
    }
}
