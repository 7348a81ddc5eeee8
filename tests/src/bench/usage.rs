//! What a process takes of the machine.

use std::{collections::HashMap, ffi::OsString, fs, time::Duration};

use anyhow::{Context as _, Result};
use rustix::process::Pid;

use super::empty::field;

/// Memory that is in use, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resident {
    /// All of it.
    pub(super) all: u64,
    /// Its own.
    pub(super) own: u64,
    /// Mapped: its program, its libraries, and the rings, which are mapped and counted twice.
    pub(super) mapped: u64,
}

/// Processor time of each of its threads, in nanoseconds: its own clock counts in hundredths of a
/// second.
pub(super) struct Busy(HashMap<OsString, u64>);

impl Busy {
    /// Up to now.
    pub(super) fn of(pid: Pid) -> Result<Self> {
        let folder = format!("/proc/{}/task", pid.as_raw_nonzero());
        let mut threads = HashMap::new();
        for thread in fs::read_dir(&folder).with_context(|| format!("read {folder}"))? {
            let thread = thread?;
            // One that ended meanwhile did nothing but that.
            let Ok(schedstat) = fs::read_to_string(thread.path().join("schedstat")) else {
                continue;
            };
            let ns = schedstat.split_whitespace().next().context("a time")?;
            threads.insert(thread.file_name(), ns.parse()?);
        }
        Ok(Self(threads))
    }

    /// Of those that are there still.
    pub(super) fn since(&self, before: &Self) -> Duration {
        let spent = |(thread, ns): (&OsString, &u64)| ns - before.0.get(thread).unwrap_or(&0);
        Duration::from_nanos(self.0.iter().map(spent).sum())
    }
}

/// Its memory.
pub(super) fn resident(pid: Pid) -> Result<Resident> {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    parse(&fs::read_to_string(&path).with_context(|| format!("read {path}"))?)
}

fn parse(status: &str) -> Result<Resident> {
    let bytes = |name| field(status, name).map(|kib| kib << 10);
    Ok(Resident {
        all: bytes("VmRSS:")?,
        own: bytes("RssAnon:")?,
        mapped: bytes("RssFile:")? + bytes("RssShmem:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_come_and_go_are_told_apart() {
        let of = |threads: &[(&str, u64)]| {
            Busy(threads.iter().map(|(id, ns)| ((*id).into(), *ns)).collect())
        };
        let (before, after) = (of(&[("1", 5), ("2", 70)]), of(&[("1", 8), ("3", 4)]));
        assert_eq!(after.since(&before), Duration::from_nanos(7));
    }

    #[test]
    fn memory_is_read_back() {
        let status = "Name:\tx\nVmRSS:\t      10 kB\nRssAnon:\t 4 kB\nRssFile:\t 5 kB\n\
            RssShmem:\t 1 kB\nThreads:\t3\n";
        let resident = parse(status).expect("a status");
        let found = [resident.all, resident.own, resident.mapped];
        assert_eq!(found, [10 << 10, 4 << 10, 6 << 10]);
        assert!(parse("VmRSS:\t1 kB\n").is_err());
    }
}
