//! What servers' processes are doing.

use std::time::Duration;

/// Processes that are looked at, at most.
pub const PROCESSES: usize = 64;

/// A process, as it was read once (proc(5), `/proc/PID/stat` and the same of its threads).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its number, as we see it.
    pub pid: u32,
    /// What it calls itself.
    pub comm: String,
    /// Its threads, by what they do.
    pub threads: Threads,
    /// Processor time of all its threads, since it began.
    pub cpu: Duration,
}

/// How many threads do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Threads {
    /// On a processor, or ready to be (`R`).
    pub running: u32,
    /// Waiting for something that happens or not (`S`, `I`).
    pub sleeping: u32,
    /// Waiting for what has to happen, a disk as a rule (`D`).
    pub blocked: u32,
    /// Held by a signal or a debugger (`T`, `t`).
    pub stopped: u32,
}

impl Threads {
    /// One that is in this state.
    pub fn add(&mut self, state: char) {
        match state {
            'R' => self.running += 1,
            'D' => self.blocked += 1,
            'T' | 't' => self.stopped += 1,
            _ => self.sleeping += 1,
        }
    }

    /// True if none can do anything.
    pub fn are_stopped(self) -> bool {
        self.stopped != 0 && self.running + self.sleeping + self.blocked == 0
    }
}

/// Where somebody serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Serves {
    /// At a TCP port.
    Tcp(u16),
    /// At a UDP port.
    Udp(u16),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_stopped_if_all_its_threads_are() {
        for (states, stopped) in [
            ("T", true),
            ("tT", true),
            ("TS", false),
            ("D", false),
            ("", false),
        ] {
            let mut threads = Threads::default();
            states.chars().for_each(|state| threads.add(state));
            assert_eq!(threads.are_stopped(), stopped, "{states}");
        }
    }
}
