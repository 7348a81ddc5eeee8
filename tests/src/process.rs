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
    for entry in fs::read_dir("/proc").context("list processes")? {
        let path = entry?.path();
        // What has ended meanwhile is nobody's child.
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        if parent_in(&stat) == Some(parent.as_raw_nonzero().get()) {
            let path = path.join("schedstat");
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let on_cpu = text.split(' ').next().map(str::parse);
            total += Duration::from_nanos(on_cpu.context("time on a CPU")??);
        }
    }
    Ok(total)
}

/// In `/proc/PID/stat`: `1 (any name) S 0 ...`.
fn parent_in(stat: &str) -> Option<i32> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    behind_name.split(' ').nth(1)?.parse().ok()
}

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
    fn a_parent_is_told_whatever_the_name() {
        assert_eq!(parent_in("7 (nginx) S 3 7 7 0 -1"), Some(3));
        assert_eq!(parent_in("7 (a) S 9 (b) R 3 7 7"), Some(3));
        assert_eq!(parent_in(""), None);
    }
}
