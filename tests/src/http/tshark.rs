//! A capture's segments, as tshark finds them.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::tshark;

/// One TCP segment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// Since 1970.
    pub(super) time: Duration,
    /// tshark's number of the connection: a port that is used again makes another.
    pub(super) stream: u32,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Relative to the SYN's, or, where the capture has none, to one before the first seen.
    pub(super) seq: u32,
    /// The same of the other side's; `None` without the flag.
    pub(super) ack: Option<u32>,
    pub(super) flags: Flags,
    /// Bytes of payload as the IP header tells, whatever the capture kept of them.
    pub(super) len: u64,
    pub(super) payload: Vec<u8>,
    pub(super) dissected: Dissected,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Flags {
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) reset: bool,
}

/// The heads that tshark dissects by itself where they end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dissected {
    /// Method and target.
    pub(super) requests: Vec<(String, String)>,
    pub(super) statuses: Vec<u16>,
}

/// All segments to and from `ports`, and when the capture ended.
#[derive(Debug)]
pub(super) struct Segments {
    pub(super) segments: Vec<Segment>,
    pub(super) end: Duration,
}

/// Of tunnelled packets, the innermost is meant.
const FIELDS: [&str; 16] = [
    "frame.time_epoch",
    "ip.src",
    "ipv6.src",
    "tcp.srcport",
    "ip.dst",
    "ipv6.dst",
    "tcp.dstport",
    "tcp.stream",
    "tcp.flags",
    "tcp.seq",
    "tcp.ack",
    "tcp.len",
    "tcp.payload",
    "http.request.method",
    "http.request.uri",
    "http.response.code",
];
/// Between several values of a field: targets have commas.
const SEPARATOR: char = '\u{1f}';
const PREFERENCES: [&str; 8] = [
    // A fragment that is cut can't be put together.
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
    "tcp.analyze_sequence_numbers:TRUE",
    "tcp.relative_sequence_numbers:TRUE",
    // Heads that span segments are dissected.
    "tcp.desegment_tcp_streams:TRUE",
    "http.desegment_headers:TRUE",
    // Who waits for a body that the capture has cut dissects nothing.
    "http.desegment_body:FALSE",
    "http.decompress_body:FALSE",
];
const FIN: u16 = 1;
const SYN: u16 = 1 << 1;
const RST: u16 = 1 << 2;
const ACK: u16 = 1 << 4;

pub(super) fn read(capture: &Path, ports: &[u16]) -> Result<Segments> {
    let (mut segments, mut end) = (Vec::new(), Duration::ZERO);
    let is_watched = |segment: &Segment| {
        let ends = [segment.from, segment.to];
        ends.iter().any(|end| ports.contains(&end.port()))
    };
    tshark::rows(command(capture, ports), |row| {
        let (time, segment) = segment(row)?;
        end = end.max(time);
        segments.extend(segment.filter(is_watched));
        Ok(())
    })?;
    Ok(Segments { segments, end })
}

fn command(capture: &Path, ports: &[u16]) -> Command {
    let mut tshark = tshark::of(capture);
    // What ICMP returns was sent before. All else is read, to know when the capture ends.
    tshark.args(["-Y", "!icmp && !icmpv6"]);
    for preference in PREFERENCES {
        tshark.args(["-o", preference]);
    }
    for port in ports {
        tshark.arg("-d").arg(format!("tcp.port=={port},http"));
    }
    tshark.args(["-T", "fields", "-E", "occurrence=a", "-E"]);
    tshark.arg(format!("aggregator={SEPARATOR}"));
    for field in FIELDS {
        tshark.args(["-e", field]);
    }
    tshark
}

fn segment(row: &str) -> Result<(Duration, Option<Segment>)> {
    let columns: Vec<&str> = row.split('\t').collect();
    let columns: [&str; FIELDS.len()] = columns.try_into().ok().context("columns")?;
    let [time, tcp @ ..] = columns;
    let time = tshark::epoch(time)?;
    let [from4, from6, from_port, to4, to6, to_port, stream, ..] = tcp;
    let [
        ..,
        flags,
        seq,
        ack,
        len,
        payload,
        methods,
        targets,
        statuses,
    ] = tcp;
    if stream.is_empty() {
        return Ok((time, None));
    }
    let flags = last(flags).strip_prefix("0x").context("flags")?;
    let flags = u16::from_str_radix(flags, 16)?;
    let has = |flag| flags & flag != 0;
    let segment = Segment {
        time,
        stream: last(stream).parse()?,
        from: address(from4, from6, from_port)?,
        to: address(to4, to6, to_port)?,
        seq: last(seq).parse()?,
        ack: has(ACK).then(|| last(ack).parse()).transpose()?,
        flags: Flags {
            syn: has(SYN),
            fin: has(FIN),
            reset: has(RST),
        },
        len: last(len).parse()?,
        payload: tshark::bytes(last(payload))?,
        dissected: Dissected {
            requests: values(methods)
                .map(str::to_owned)
                .zip(values(targets).map(str::to_owned))
                .collect(),
            statuses: values(statuses).map(str::parse).collect::<Result<_, _>>()?,
        },
    };
    Ok((time, Some(segment)))
}

fn values(column: &str) -> impl Iterator<Item = &str> {
    column.split(SEPARATOR).filter(|value| !value.is_empty())
}

fn last(column: &str) -> &str {
    values(column).last().unwrap_or_default()
}

fn address(v4: &str, v6: &str, port: &str) -> Result<SocketAddr> {
    let ip: IpAddr = last(if v4.is_empty() { v6 } else { v4 }).parse()?;
    Ok(SocketAddr::new(ip, last(port).parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read() {
        let row = "1.000000002\t10.44.0.75\t\t29032\t10.44.0.1\t\t80\t7\t0x0018\t118\t410\t1448\t\
                   474554\tGET\u{1f}HEAD\t/a,b\u{1f}/c\t";
        let (time, segment) = segment(row).expect("a row");
        let segment = segment.expect("a segment");
        assert_eq!(time, Duration::new(1, 2));
        assert_eq!(
            (segment.stream, segment.seq, segment.ack),
            (7, 118, Some(410))
        );
        assert_eq!(
            (segment.len, segment.payload.as_slice()),
            (1448, &b"GET"[..])
        );
        assert_eq!(segment.flags, Flags::default());
        let requests = [("GET", "/a,b"), ("HEAD", "/c")];
        let requests = requests.map(|(method, target)| (method.to_owned(), target.to_owned()));
        assert_eq!(segment.dissected.requests, requests);
    }

    #[test]
    fn of_a_tunnel_the_innermost_is_read() {
        let row = "1.000000000\t9.9.9.9\u{1f}10.44.0.75\t\t29032\t9.9.9.8\u{1f}10.44.0.1\t\t80\t0\t\
                   0x0004\t1\t0\t0\t\t\t\t";
        let (_, segment) = segment(row).expect("a row");
        let segment = segment.expect("a segment");
        assert_eq!(segment.from.to_string(), "10.44.0.75:29032");
        assert!(segment.flags.reset);
        assert_eq!(segment.ack, None);
    }

    #[test]
    fn other_packets_have_a_time() {
        let row = format!("5.000000000{}", "\t".repeat(15));
        assert_eq!(
            segment(&row).expect("a row"),
            (Duration::from_secs(5), None)
        );
    }
}
