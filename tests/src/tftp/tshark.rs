//! A capture's datagrams, as tshark finds them.

use std::{
    io::{BufRead as _, BufReader},
    net::{IpAddr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{conversation::Packet, message::Message};

/// Of tunnelled packets and of those that ICMP returns, the innermost.
const FIELDS: [&str; 16] = [
    "frame.time_epoch",
    "ip.src",
    "ipv6.src",
    "udp.srcport",
    "ip.dst",
    "ipv6.dst",
    "udp.dstport",
    "udp.length",
    "udp.payload",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "tftp.opcode",
    "tftp.block",
    "tftp.error.code",
];
const UDP_HEADER: u64 = 8;

/// All datagrams that may be TFTP, where requests go to `ports`.
pub(super) fn read(capture: &Path, ports: &[u16]) -> Result<Vec<Packet>> {
    let mut tshark = command(capture, ports)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start tshark")?;
    let rows = BufReader::new(tshark.stdout.take().context("tshark's output")?).lines();
    let mut packets = Vec::new();
    for row in rows {
        let row = row.context("read tshark's output")?;
        packets.extend(packet(&row, ports).with_context(|| format!("tshark: {row}"))?);
    }
    let ended = tshark.wait_with_output().context("wait for tshark")?;
    ensure!(
        ended.status.success(),
        "tshark of {}: {}: {}",
        capture.display(),
        ended.status,
        String::from_utf8_lossy(&ended.stderr)
    );
    Ok(packets)
}

fn command(capture: &Path, ports: &[u16]) -> Command {
    let mut tshark = Command::new("tshark");
    tshark.arg("-Q").arg("-r").arg(capture).args(["-Y", "udp"]);
    // A first fragment has the header with the whole length; a cut one can't be put together.
    for protocol in ["ip", "ipv6"] {
        tshark.arg("-o").arg(format!("{protocol}.defragment:FALSE"));
    }
    for port in ports {
        tshark.arg("-d").arg(format!("udp.port=={port},tftp"));
    }
    tshark.args(["-T", "fields", "-E", "occurrence=l"]);
    for field in FIELDS {
        tshark.args(["-e", field]);
    }
    tshark
}

fn packet(row: &str, ports: &[u16]) -> Result<Option<Packet>> {
    let columns: Vec<&str> = row.split('\t').collect();
    let columns: [&str; FIELDS.len()] = columns.try_into().ok().context("columns")?;
    let [
        time,
        from4,
        from6,
        from_port,
        to4,
        to6,
        to_port,
        len,
        payload,
        ..,
    ] = columns;
    let [.., icmp4, code4, icmp6, code6, opcode, block, error] = columns;
    let to = address(to4, to6, to_port)?;
    let message = match [icmp4, code4, icmp6, code6] {
        ["", "", "", ""] => {
            let len = len.parse::<u64>()?.checked_sub(UDP_HEADER);
            let len = len.context("a length without a header")?;
            let message = Message::read(&bytes(payload)?, len, ports.contains(&to.port()))?;
            agree(message.as_ref(), [opcode, block, error])?;
            message
        }
        // Port unreachable.
        ["3", "3", "", ""] | ["", "", "1", "4"] => Some(Message::Refused),
        _ => None,
    };
    let from = address(from4, from6, from_port)?;
    let time = epoch(time)?;
    Ok(message.map(|message| Packet {
        time,
        from,
        to,
        message,
    }))
}

/// Where tshark follows a transfer by itself, it must read the same as we.
fn agree(message: Option<&Message>, dissected: [&str; 3]) -> Result<()> {
    let [opcode, block, error] = dissected;
    let ours = match message {
        Some(Message::Data { block, .. }) => [3, *block],
        Some(Message::Ack(block)) => [4, *block],
        Some(Message::Error(code)) => [5, *code],
        Some(Message::Request(_) | Message::Oack(_) | Message::Refused) | None => return Ok(()),
    };
    let number = if block.is_empty() { error } else { block };
    let theirs = [opcode, number].map(str::parse::<u16>);
    let agree = opcode.is_empty() || theirs.iter().flatten().eq(&ours);
    ensure!(agree, "we read {ours:?}, tshark {theirs:?}");
    Ok(())
}

fn address(v4: &str, v6: &str, port: &str) -> Result<SocketAddr> {
    let ip: IpAddr = if v4.is_empty() { v6 } else { v4 }.parse()?;
    Ok(SocketAddr::new(ip, port.parse()?))
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let pair = |pair: &[u8]| {
        let digits = str::from_utf8(pair).context("digits")?;
        u8::from_str_radix(digits, 16).context("a byte")
    };
    hex.as_bytes().chunks(2).map(pair).collect()
}

/// Seconds with nine decimals.
fn epoch(text: &str) -> Result<Duration> {
    let (seconds, nanoseconds) = text.split_once('.').context("a time")?;
    ensure!(nanoseconds.len() == 9, "a time in nanoseconds");
    Ok(Duration::new(seconds.parse()?, nanoseconds.parse()?))
}
