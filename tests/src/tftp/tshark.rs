//! A capture's datagrams, as tshark finds them.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::{conversation::Packet, message::Message};
use crate::tshark;

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
    let mut packets = Vec::new();
    tshark::rows(command(capture, ports), |row| {
        packets.extend(packet(row, ports)?);
        Ok(())
    })?;
    Ok(packets)
}

fn command(capture: &Path, ports: &[u16]) -> Command {
    let mut tshark = tshark::of(capture);
    tshark.args(["-Y", "udp"]);
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
            let message = Message::read(&tshark::bytes(payload)?, len, ports.contains(&to.port()))?;
            agree(message.as_ref(), [opcode, block, error])?;
            message
        }
        // Port unreachable.
        ["3", "3", "", ""] | ["", "", "1", "4"] => Some(Message::Refused),
        _ => None,
    };
    let from = address(from4, from6, from_port)?;
    let time = tshark::epoch(time)?;
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
