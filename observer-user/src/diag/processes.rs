//! What servers' processes are doing, and whose the sockets at servers' ports are.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use anyhow::Result;
use procfs::process::{FDTarget, Process, Stat};

use super::listeners::processes;
use crate::model::processes::{self as model, PROCESSES, Serves, Threads};

/// Between searches for the processes of sockets: each reads the descriptors of all.
const LATE: Duration = Duration::from_secs(30);
/// The same where a socket is new.
const SOON: Duration = Duration::from_secs(5);
/// Threads of a process that are looked at.
const THREADS: usize = 64;

/// Whose each socket was when it was last searched for.
pub(super) struct Processes {
    owners: HashMap<u64, BTreeSet<u32>>,
    searched: Option<Instant>,
}

impl Processes {
    pub(super) fn new() -> Self {
        Self {
            owners: HashMap::new(),
            searched: None,
        }
    }

    /// The processes that hold these sockets, by where they serve.
    pub(super) fn owners(
        &mut self,
        sockets: &BTreeMap<u64, Serves>,
        now: Instant,
    ) -> Result<BTreeMap<Serves, BTreeSet<u32>>> {
        if self.is_due(sockets, now) {
            self.searched = Some(now);
            self.owners = search(sockets)?;
        }
        let mut owners: BTreeMap<Serves, BTreeSet<u32>> = BTreeMap::new();
        for (inode, serves) in sockets {
            if let Some(pids) = self.owners.get(inode) {
                owners.entry(*serves).or_default().extend(pids);
            }
        }
        Ok(owners)
    }

    fn is_due(&self, sockets: &BTreeMap<u64, Serves>, now: Instant) -> bool {
        let Some(searched) = self.searched else {
            return !sockets.is_empty();
        };
        let is_known = |inode| self.owners.contains_key(inode);
        let period = if sockets.keys().all(is_known) {
            LATE
        } else {
            SOON
        };
        now >= searched + period
    }
}

fn search(sockets: &BTreeMap<u64, Serves>) -> Result<HashMap<u64, BTreeSet<u32>>> {
    let mut owners: HashMap<u64, BTreeSet<u32>> = HashMap::new();
    for process in processes()? {
        // One that is gone, or that we may not look into, holds none.
        let descriptors = process.fd().into_iter().flatten().flatten();
        let Ok(pid) = u32::try_from(process.pid()) else {
            continue;
        };
        for descriptor in descriptors {
            if let FDTarget::Socket(inode) = descriptor.target
                && sockets.contains_key(&inode)
            {
                owners.entry(inode).or_default().insert(pid);
            }
        }
    }
    Ok(owners)
}

/// What these are doing, so many at most; nothing of those that are gone.
pub(super) fn read(pids: &BTreeSet<u32>) -> Vec<model::Process> {
    pids.iter()
        .take(PROCESSES)
        .filter_map(|pid| process(*pid))
        .collect()
}

fn process(pid: u32) -> Option<model::Process> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    let stat = process.stat().ok()?;
    // One that has ended, and whose end nobody has looked at, does nothing any more.
    if matches!(stat.state, 'Z' | 'X') {
        return None;
    }
    let mut threads = Threads::default();
    if stat.num_threads == 1 {
        threads.add(stat.state);
    } else {
        let tasks = process.tasks().ok()?.flatten().take(THREADS);
        for task in tasks.filter_map(|task| task.stat().ok()) {
            threads.add(task.state);
        }
    }
    Some(model::Process {
        pid,
        cpu: cpu(&stat),
        threads,
        comm: stat.comm,
    })
}

fn cpu(stat: &Stat) -> Duration {
    let ticks = procfs::ticks_per_second().max(1);
    let nanoseconds = (stat.utime + stat.stime).saturating_mul(1_000_000_000 / ticks);
    Duration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsRawFd as _};

    use super::*;

    #[test]
    fn we_run_and_our_socket_is_ours() {
        let socket = TcpListener::bind("127.0.0.1:0").expect("listen");
        let myself = std::process::id();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()));
        let link = link.expect("a link").display().to_string();
        let inode = link.trim_matches(|c: char| !c.is_ascii_digit());
        let sockets = BTreeMap::from([(inode.parse().expect("a number"), Serves::Tcp(80))]);
        let mut processes = Processes::new();
        let now = Instant::now();
        let owners = processes.owners(&sockets, now).expect("a search");
        assert_eq!(
            owners,
            BTreeMap::from([(Serves::Tcp(80), BTreeSet::from([myself]))])
        );
        let read = read(&BTreeSet::from([myself, u32::MAX]));
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].pid, myself);
        assert!(read[0].threads.running >= 1 && !read[0].comm.is_empty());
    }

    #[test]
    fn searches_are_rare() {
        let mut processes = Processes::new();
        let now = Instant::now();
        let sockets = BTreeMap::from([(7, Serves::Udp(69))]);
        assert!(!processes.is_due(&BTreeMap::new(), now), "for nothing");
        assert!(processes.is_due(&sockets, now));
        processes.searched = Some(now);
        for (what, known, after, due) in [
            ("a new one", false, SOON, true),
            ("a new one", false, SOON / 2, false),
            ("a known one", true, SOON, false),
            ("a known one", true, LATE, true),
        ] {
            processes.owners.clear();
            if known {
                processes.owners.insert(7, BTreeSet::new());
            }
            assert_eq!(processes.is_due(&sockets, now + after), due, "{what}");
        }
    }
}
