//! A packet capture, as a second witness of what was sent.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, UdpSocket},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    netns::Netns,
    process::{Process, run},
};

/// What is sent last, and found in the file when all before it is there.
const MARK: &[u8] = b"the capture ends here";
const FILE: &str = "capture.pcap";
const PATIENCE: Duration = Duration::from_secs(20);

/// A running tcpdump on a namespace's loopback.
pub struct Capture {
    tcpdump: Process,
    folder: TempDir,
    port: u16,
}

impl Capture {
    /// Starts it and waits until it captures.
    pub fn start(netns: &Netns, port: u16) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for a capture")?;
        let mut command = netns.command("tcpdump");
        // As root all along, who owns the folder; packet by packet; heads are enough.
        command
            .args([
                "-Z",
                "root",
                "-i",
                "lo",
                "-U",
                "--immediate-mode",
                "-s",
                "128",
            ])
            .args(["-B", "65536", "-w"])
            .arg(folder.path().join(FILE))
            .arg(format!("port {port}"));
        let mut tcpdump = Process::start(command.stdin(Stdio::null()).stderr(Stdio::piped()))?;
        let stderr = tcpdump
            .child()
            .stderr
            .take()
            .context("tcpdump's messages")?;
        let mut said = BufReader::new(stderr).lines();
        let listens = said.any(|line| line.is_ok_and(|line| line.contains("listening on")));
        ensure!(listens, "tcpdump does not capture");
        Ok(Self {
            tcpdump,
            folder,
            port,
        })
    }

    /// Waits until everything sent so far is written, and has tshark add it up: for each
    /// client port, the server's bytes that the client acknowledged, heads included.
    pub fn acknowledged(self, netns: &Netns) -> Result<BTreeMap<u16, u64>> {
        self.wait_for_mark(netns)?;
        self.tcpdump.end(Signal::INT)?;
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(self.folder.path().join(FILE));
        // A reset that acknowledges counts, too: it says what had arrived.
        tshark.args(["-Y", "tcp", "-T", "fields"]);
        for field in ["srcport", "dstport", "seq", "len", "ack"] {
            tshark.arg("-e").arg(format!("tcp.{field}"));
        }
        let mut streams = BTreeMap::<u16, Stream>::new();
        for line in run(&mut tshark)?.lines() {
            let columns: Vec<u64> = line
                .split('\t')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .with_context(|| format!("tshark: {line}"))?;
            let [from, to, seq, len, ack] = columns[..] else {
                bail!("tshark: {line}");
            };
            let is_answer = from == u64::from(self.port);
            let client = u16::try_from(if is_answer { to } else { from })?;
            let stream = streams.entry(client).or_default();
            if is_answer && len != 0 {
                stream.sent = stream.sent.max(seq + len);
            } else if !is_answer {
                stream.acknowledged = stream.acknowledged.max(ack);
            }
        }
        Ok(streams
            .into_iter()
            .map(|(client, stream)| (client, stream.payload()))
            .collect())
    }

    /// A datagram to the port, from when it is in the file all before it is, too.
    fn wait_for_mark(&self, netns: &Netns) -> Result<()> {
        netns.inside(|| -> Result<()> {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.send_to(MARK, (Ipv4Addr::LOCALHOST, self.port))?;
            Ok(())
        })??;
        let begun = Instant::now();
        let is_there = || -> Result<bool> {
            let written = fs::read(self.folder.path().join(FILE))?;
            Ok(written.windows(MARK.len()).rev().any(|found| found == MARK))
        };
        while !is_there()? {
            ensure!(begun.elapsed() < PATIENCE, "tcpdump does not write");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Sequence numbers of a server's side, from its SYN, which has number 0.
#[derive(Default)]
struct Stream {
    /// Behind the last byte sent.
    sent: u64,
    /// Highest; of a FIN it is one more than what was sent.
    acknowledged: u64,
}

impl Stream {
    fn payload(&self) -> u64 {
        self.acknowledged.min(self.sent).saturating_sub(1)
    }
}
