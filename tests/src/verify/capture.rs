//! The datagrams of a capture file, without tshark.

use std::{
    fs::File,
    io::{BufReader, Read},
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use etherparse::{IpNumber, LaxNetSlice, LaxSlicedPacket, TransportSlice, UdpSlice, ether_type};
use flate2::read::MultiGzDecoder;
use pcap_file::{DataLink, pcap::PcapReader};

/// `struct sll_header` and `struct sll2_header` (libpcap, pcap/sll.h), and where they have the
/// EtherType.
const SLL: (usize, usize) = (16, 14);
const SLL2: (usize, usize) = (20, 0);

/// A datagram with its addresses; the payload may be cut.
pub(super) struct Datagram {
    pub(super) time: Duration,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// What the UDP header says.
    pub(super) len: u32,
    pub(super) payload: Vec<u8>,
}

/// Calls `take` with each datagram of a pcap file, maybe gzipped.
pub(super) fn read(path: &Path, mut take: impl FnMut(Datagram)) -> Result<()> {
    let file = BufReader::new(File::open(path)?);
    let is_zipped = path.extension().is_some_and(|extension| extension == "gz");
    let file: Box<dyn Read> = if is_zipped {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut reader = PcapReader::new(file).context("no pcap file")?;
    let link = reader.header().datalink;
    while let Some(packet) = reader.next_packet() {
        let packet = packet.context("a packet")?;
        if let Some(datagram) = datagram(link, packet.timestamp, &packet.data)? {
            take(datagram);
        }
    }
    Ok(())
}

fn datagram(link: DataLink, time: Duration, frame: &[u8]) -> Result<Option<Datagram>> {
    let packet = if link == DataLink::ETHERNET {
        LaxSlicedPacket::from_ethernet(frame).ok()
    } else if link == DataLink::RAW {
        LaxSlicedPacket::from_ip(frame).ok()
    } else if link == DataLink::LINUX_SLL {
        behind(frame, SLL)
    } else if link == DataLink::LINUX_SLL2 {
        behind(frame, SLL2)
    } else {
        bail!("captures of link type {link:?} are not read")
    };
    let Some((from, to, udp)) = packet.as_ref().and_then(udp) else {
        return Ok(None);
    };
    Ok(Some(Datagram {
        time,
        from: SocketAddr::new(from, udp.source_port()),
        to: SocketAddr::new(to, udp.destination_port()),
        len: u32::from(udp.length()).saturating_sub(8),
        payload: udp.payload().to_vec(),
    }))
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

/// Of a fragmented datagram the first fragment, which has the header with the whole length.
fn udp<'a>(packet: &'a LaxSlicedPacket<'a>) -> Option<(IpAddr, IpAddr, UdpSlice<'a>)> {
    let (from, to, is_first): (IpAddr, IpAddr, bool) = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            let (from, to) = (header.source_addr(), header.destination_addr());
            let is_first = header.fragments_offset().value() == 0;
            (from.into(), to.into(), is_first)
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let (from, to) = (header.source_addr(), header.destination_addr());
            (from.into(), to.into(), !ip.is_payload_fragmented())
        }
        LaxNetSlice::Arp(_) => return None,
    };
    if let Some(TransportSlice::Udp(udp)) = &packet.transport {
        return Some((from, to, udp.clone()));
    }
    let payload = packet.net.as_ref()?.ip_payload_ref()?;
    let is_udp = is_first && payload.ip_number == IpNumber::UDP;
    let udp = is_udp.then(|| UdpSlice::from_slice_lax(payload.payload).ok());
    Some((from, to, udp.flatten()?))
}
