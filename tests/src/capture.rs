//! A packet capture, as a second witness of what was sent.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Lines, Read as _, Seek as _, SeekFrom},
    net::{Ipv4Addr, UdpSocket},
    path::PathBuf,
    process::{ChildStderr, Command, Stdio},
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
/// RFC 863: nobody listens there, and nothing is TFTP.
const DISCARD: u16 = 9;
/// More than what others still send while the mark is awaited.
const TAIL: u64 = 1 << 18;

/// A running tcpdump in a namespace.
pub struct Capture {
    tcpdump: Process,
    said: Lines<BufReader<ChildStderr>>,
    folder: TempDir,
    port: u16,
}

/// A capture that has ended; the file is removed with its value.
pub struct Captured(TempDir);

impl Captured {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.0.path().join(FILE)
    }
}

impl Capture {
    /// Captures the heads of what passes a port over the loopback; returns when it does.
    pub fn start(netns: &Netns, port: u16) -> Result<Self> {
        let filter = format!("port {port}");
        Self::begin(netns, port, &["-i", "lo", "-s", "128", &filter])
    }

    /// Captures segments of up to 8 KiB whole; returns when it does.
    pub fn segments(netns: &Netns, port: u16) -> Result<Self> {
        let filter = format!("port {port}");
        Self::begin(netns, port, &["-i", "lo", "-s", "8192", &filter])
    }

    /// Captures every datagram on every interface, and the whole of any TFTP request: 512 bytes.
    pub fn datagrams(netns: &Netns) -> Result<Self> {
        let filter = "udp or icmp or icmp6";
        Self::begin(netns, DISCARD, &["-i", "any", "-s", "640", filter])
    }

    fn begin(netns: &Netns, port: u16, what: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for a capture")?;
        let mut command = netns.command("tcpdump");
        // As root all along, who owns the folder; packet by packet.
        command
            .args(["-Z", "root", "-U", "--immediate-mode", "-B", "65536", "-w"])
            .arg(folder.path().join(FILE))
            .args(what);
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
            said,
            folder,
            port,
        })
    }

    /// Waits until everything sent so far is written; an error if anything was dropped.
    pub fn end(self, netns: &Netns) -> Result<Captured> {
        self.wait_for_mark(netns)?;
        self.tcpdump.end(Signal::INT)?;
        let lines: Vec<String> = self.said.collect::<Result<_, _>>()?;
        let is_whole = lines
            .iter()
            .any(|line| line == "0 packets dropped by kernel");
        ensure!(is_whole, "tcpdump: {lines:?}");
        Ok(Captured(self.folder))
    }

    /// Waits until everything sent so far is written, and has tshark add it up: for each
    /// client port, the server's bytes that the client acknowledged, heads included.
    pub fn acknowledged(self, netns: &Netns) -> Result<BTreeMap<u16, u64>> {
        let port = self.port;
        let captured = self.end(netns)?;
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(captured.path());
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
            let is_answer = from == u64::from(port);
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
        let mut file = File::open(self.folder.path().join(FILE)).context("open a capture")?;
        let mut is_there = || -> Result<bool> {
            let len = file.metadata()?.len();
            file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            Ok(tail.windows(MARK.len()).any(|found| found == MARK))
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
