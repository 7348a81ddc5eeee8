//! Programs that capture packets, and say how many they missed.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{ChildStderr, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Process;

/// tcpdump or tshark, which ends its dumpcap when it is ended itself.
pub(super) struct Capturing {
    process: Process,
    said: Lines<BufReader<ChildStderr>>,
    /// tshark has a file of all packets there.
    _folder: TempDir,
}

impl Capturing {
    /// Waits until it says so.
    pub(super) fn start(mut command: Command, capturing: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for packets")?;
        command
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let stderr = process.child().stderr.take().context("its messages")?;
        let mut said = BufReader::new(stderr).lines();
        let begun = said.any(|line| line.is_ok_and(|line| line.contains(capturing)));
        ensure!(begun, "it does not capture: {command:?}");
        Ok(Self {
            process,
            said,
            _folder: folder,
        })
    }

    /// Waits until it has worked off what it has; returns how many packets it has dropped.
    pub(super) fn stop(self) -> Result<u64> {
        self.process.end(Signal::INT)?;
        let said: Vec<String> = self.said.collect::<Result<_, _>>()?;
        dropped(&said).with_context(|| format!("no count of packets: {said:?}"))
    }
}

/// Of tcpdump, `1 packet dropped by kernel`; of tshark, `2 packets dropped from lo`, or nothing if
/// there are none. Both say how many they captured, tshark of those that are rows.
fn dropped(said: &[String]) -> Option<u64> {
    let count = |what: &str| {
        said.iter().find_map(|line| {
            let (count, rest) = line.split_once(' ')?;
            let rest = rest
                .strip_prefix("packets ")
                .or(rest.strip_prefix("packet "))?;
            rest.starts_with(what).then(|| count.parse().ok())?
        })
    };
    let captured: Option<u64> = count("captured");
    captured.and(count("dropped").or(Some(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_say_how_many_they_dropped() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let tcpdump =
            "3 packets captured\n5 packets received by filter\n1 packet dropped by kernel";
        assert_eq!(dropped(&lines(tcpdump)), Some(1));
        let tcpdump =
            "0 packets captured\n0 packets received by filter\n0 packets dropped by kernel";
        assert_eq!(dropped(&lines(tcpdump)), Some(0));
        let tshark = "tshark: \n12 packets dropped from lo\n1 packet captured";
        assert_eq!(dropped(&lines(tshark)), Some(12));
        assert_eq!(dropped(&lines("tshark: \n7 packets captured")), Some(0));
        assert_eq!(dropped(&lines("tcpdump: no such device")), None);
    }
}
