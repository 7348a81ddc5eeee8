//! The packets of a capture file, without tshark.

use std::{
    fs::File,
    io::{BufReader, Read},
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use etherparse::{IpNumber, LaxNetSlice, LaxSlicedPacket, TcpSlice, UdpSlice, ether_type};
use flate2::read::MultiGzDecoder;
use pcap_file::{DataLink, pcap::PcapReader};
use programs::wire::ip_header;

/// `struct sll_header` and `struct sll2_header` (libpcap, pcap/sll.h), and where they have the
/// EtherType.
const SLL: (usize, usize) = (16, 14);
const SLL2: (usize, usize) = (20, 0);

/// What a packet is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp(Segment),
    Udp,
}

/// What a TCP header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    /// Of the payload, whether it is in the capture or not.
    pub(super) len: u32,
}

/// A packet as its host's hooks see it: of fragments the first, as long as the whole; what the
/// capture has not of its payload is zeros.
pub(super) struct Packet {
    pub(super) time: Duration,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) transport: Transport,
    /// From its IP header on, which has no options.
    pub(super) bytes: Vec<u8>,
    /// Where the payload begins.
    pub(super) payload_at: usize,
}

impl Packet {
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload_at..).unwrap_or_default()
    }
}

/// Calls `take` with each packet of TCP or UDP of a pcap file, maybe gzipped.
pub(super) fn read(path: &Path, mut take: impl FnMut(&Packet)) -> Result<()> {
    let file = BufReader::new(File::open(path)?);
    let is_zipped = path.extension().is_some_and(|extension| extension == "gz");
    let file: Box<dyn Read> = if is_zipped {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut reader = PcapReader::new(file).context("no pcap file")?;
    let link = reader.header().datalink;
    while let Some(frame) = reader.next_packet() {
        let frame = frame.context("a packet")?;
        let cut = frame.orig_len as usize - frame.data.len();
        let sliced = slice(link, &frame.data)?;
        let packet = sliced.and_then(|sliced| packet(frame.timestamp, &sliced, cut));
        if let Some(packet) = packet {
            take(&packet);
        }
    }
    Ok(())
}

fn slice(link: DataLink, frame: &[u8]) -> Result<Option<LaxSlicedPacket<'_>>> {
    Ok(if link == DataLink::ETHERNET {
        LaxSlicedPacket::from_ethernet(frame).ok()
    } else if link == DataLink::RAW {
        LaxSlicedPacket::from_ip(frame).ok()
    } else if link == DataLink::LINUX_SLL {
        behind(frame, SLL)
    } else if link == DataLink::LINUX_SLL2 {
        behind(frame, SLL2)
    } else {
        bail!("captures of link type {link:?} are not read")
    })
}

fn behind(frame: &[u8], (len, type_at): (usize, usize)) -> Option<LaxSlicedPacket<'_>> {
    let ether_type = frame.get(type_at..type_at + 2)?;
    let ether_type = u16::from_be_bytes(ether_type.try_into().ok()?);
    let is_ip = [ether_type::IPV4, ether_type::IPV6].map(|known| known.0);
    is_ip
        .contains(&ether_type)
        .then(|| LaxSlicedPacket::from_ip(frame.get(len..)?).ok())
        .flatten()
}

/// What an IP packet carries.
struct Carried<'a> {
    from: IpAddr,
    to: IpAddr,
    protocol: IpNumber,
    /// As much as is in the capture.
    payload: &'a [u8],
    /// What the IP header says; `None` where it does not: the sending host leaves the splitting
    /// of more than 64 KiB to its device.
    len: Option<usize>,
}

/// `None` of fragments but the first.
fn carried<'a>(packet: &LaxSlicedPacket<'a>) -> Option<Carried<'a>> {
    let payload = packet.net.as_ref()?.ip_payload_ref()?.clone();
    let (from, to, is_first, len): (IpAddr, IpAddr, bool, _) = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            let (from, to) = (header.source_addr(), header.destination_addr());
            let is_first = header.fragments_offset().value() == 0;
            let len = usize::from(header.total_len()).checked_sub(header.slice().len());
            (from.into(), to.into(), is_first, len)
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let (from, to) = (header.source_addr(), header.destination_addr());
            let extensions = ip.extensions().slice().len();
            let len = usize::from(header.payload_length()).checked_sub(extensions);
            (from.into(), to.into(), !ip.is_payload_fragmented(), len)
        }
        LaxNetSlice::Arp(_) => return None,
    };
    is_first.then_some(Carried {
        from,
        to,
        protocol: payload.ip_number,
        payload: payload.payload,
        len,
    })
}

/// `cut` bytes of it are not in the capture.
fn packet(time: Duration, sliced: &LaxSlicedPacket<'_>, cut: usize) -> Option<Packet> {
    let carried = carried(sliced)?;
    let len = carried.len.unwrap_or(carried.payload.len() + cut);
    let (transport, ports, header, len) = match carried.protocol {
        IpNumber::UDP => {
            let udp = UdpSlice::from_slice_lax(carried.payload).ok()?;
            let ports = (udp.source_port(), udp.destination_port());
            // Of a fragmented one, too.
            (Transport::Udp, ports, 8, usize::from(udp.length()))
        }
        IpNumber::TCP => {
            let tcp = TcpSlice::from_slice(carried.payload).ok()?;
            let header = tcp.header_len();
            let segment = Segment {
                seq: tcp.sequence_number(),
                ack: tcp.ack().then(|| tcp.acknowledgment_number()),
                syn: tcp.syn(),
                fin: tcp.fin(),
                rst: tcp.rst(),
                len: u32::try_from(len.checked_sub(header)?).ok()?,
            };
            let ports = (tcp.source_port(), tcp.destination_port());
            (Transport::Tcp(segment), ports, header, len)
        }
        _ => return None,
    };
    let mut bytes = ip_header(carried.from, carried.to, carried.protocol.0);
    let payload_at = bytes.len() + header;
    let end = bytes.len() + len;
    bytes.extend(carried.payload);
    // Behind a short frame there may be padding.
    bytes.resize(end, 0);
    Some(Packet {
        time,
        from: SocketAddr::new(carried.from, ports.0),
        to: SocketAddr::new(carried.to, ports.1),
        transport,
        bytes,
        payload_at,
    })
}
