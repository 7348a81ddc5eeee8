//! Child processes that end with their value.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Runs a command to its end; an error names it and holds what it said.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How long the children of a process have been on a CPU by now, which have one thread each. Of
/// softirqs it has those that were taken meanwhile, whomever they were for.
pub fn cpu_of_children(parent: Pid) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for child in children(parent)? {
        let path = format!("/proc/{}/schedstat", child.as_raw_nonzero());
        let text = fs::read_to_string(&path).context(path)?;
        let on_cpu = text.split(' ').next().map(str::parse);
        total += Duration::from_nanos(on_cpu.context("time on a CPU")??);
    }
    Ok(total)
}

/// The children of a process.
pub fn children(parent: Pid) -> Result<Vec<Pid>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").context("list processes")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        let Some(process) = number.and_then(Pid::from_raw) else {
            continue;
        };
        // What has ended meanwhile is nobody's child.
        if parent_in(&stat(process)) == Some(parent.as_raw_nonzero().get()) {
            children.push(process);
        }
    }
    Ok(children)
}

/// The letter of what a process does (proc_pid_stat(5)); none of one that is gone.
pub fn state(process: Pid) -> Option<char> {
    behind_name(&stat(process))?.chars().next()
}

fn stat(process: Pid) -> String {
    let path = format!("/proc/{}/stat", process.as_raw_nonzero());
    fs::read_to_string(path).unwrap_or_default()
}

/// In `/proc/PID/stat`: `1 (any name) S 0 ...`.
fn parent_in(stat: &str) -> Option<i32> {
    behind_name(stat)?.split(' ').nth(1)?.parse().ok()
}

fn behind_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ").map(|(_, behind)| behind)
}

/// `SigCgt:` of `/proc/PID/status` (proc_pid_status(5)).
fn is_handled(status: &str, signal: Signal) -> Result<bool> {
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:\t"));
    let caught = u64::from_str_radix(caught.context("signals that are caught")?, 16)?;
    Ok(caught >> (signal.as_raw() - 1) & 1 == 1)
}

/// Many times what a process takes until it handles its signals.
const STARTED: Duration = Duration::from_secs(10);
/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// A process that is ended when dropped.
pub struct Process(Child);

impl Process {
    /// Starts it.
    pub fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(
            command
                .spawn()
                .with_context(|| format!("start {command:?}"))?,
        ))
    }

    /// The child.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid(), signal).with_context(|| format!("signal {signal:?}"))
    }

    /// Waits until it handles a signal: before, it is any process, which ends as the signal says.
    pub fn until_handled(&self, signal: Signal) -> Result<()> {
        let begun = Instant::now();
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        while !is_handled(&fs::read_to_string(&path).context("a status")?, signal)? {
            ensure!(begun.elapsed() < STARTED, "{signal:?} is never handled");
        }
        Ok(())
    }

    /// Sends a signal and waits for the end; returns how long it took and how it went.
    pub fn end(mut self, signal: Signal) -> Result<(Duration, std::process::ExitStatus)> {
        let asked = Instant::now();
        self.signal(signal)?;
        let status = self.0.wait().context("wait for a child")?;
        Ok((asked.elapsed(), status))
    }
}

impl Drop for Process {
    /// Politely at first: a server's master ends its workers.
    fn drop(&mut self) {
        let begun = Instant::now();
        // Already gone is as good.
        let _ = self.signal(Signal::TERM);
        while begun.elapsed() < GRACE {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_handled_whose_bit_is_set() {
        let handled = |signal| {
            let status = "Name:\ta\nSigCgt:\t0000000000004001\n";
            is_handled(status, signal).expect("a status")
        };
        let signals = [Signal::HUP, Signal::TERM, Signal::INT];
        assert_eq!(signals.map(handled), [true, true, false]);
    }

    #[test]
    fn a_parent_is_told_whatever_the_name() {
        assert_eq!(parent_in("7 (nginx) S 3 7 7 0 -1"), Some(3));
        assert_eq!(parent_in("7 (a) S 9 (b) R 3 7 7"), Some(3));
        assert_eq!(parent_in(""), None);
    }
}
