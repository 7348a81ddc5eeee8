//! Child processes that end with their value.

use std::{
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
