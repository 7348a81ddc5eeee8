//! Packets as the hooks see them, built.

use std::net::{IpAddr, SocketAddr};

use observer_common::tftp::Peer;

use crate::{Hook, Kernel, Packet, Socket, State};

/// An address as the programs have it: IPv4 as `::ffff:a.b.c.d`.
pub fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// An IP header without options: as much of it as the programs read.
pub fn ip_header(from: IpAddr, to: IpAddr, protocol: u8) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = vec![0; 12];
            (header[0], header[9]) = (0x45, protocol);
            header.extend(from.octets());
            header.extend(to.octets());
            header
        }
        (from, to) => {
            let mut header = vec![0; 8];
            (header[0], header[6]) = (0x60, protocol);
            for address in [from, to] {
                header.extend(mapped(address));
            }
            header
        }
    }
}

/// A datagram between a TFTP client and the server of this host.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Which way.
    pub hook: Hook,
    /// The client's end.
    pub peer: Peer,
    /// The server's port.
    pub local_port: u16,
    /// When, nanoseconds.
    pub at_ns: u64,
    /// How long its payload is; what `payload` has not of it is zeros.
    pub len: u32,
    /// The payload.
    pub payload: &'a [u8],
}

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Bits of the TCP header.
pub mod flags {
    /// The sender has no more.
    pub const FIN: u8 = 1;
    /// It begins.
    pub const SYN: u8 = 2;
    /// It is over.
    pub const RST: u8 = 4;
    /// The acknowledgement holds.
    pub const ACK: u8 = 16;
}

/// A TCP segment between a client and a socket of this host.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Which way.
    pub hook: Hook,
    /// The client's end.
    pub client: SocketAddr,
    /// When, nanoseconds.
    pub at_ns: u64,
    /// The sequence number of its first byte.
    pub seq: u32,
    /// The acknowledgement.
    pub ack: u32,
    /// Of [`flags`].
    pub flags: u8,
    /// How much more the sender takes, not scaled.
    pub window: u16,
    /// Segments that the device makes of it; 0 of one that is not to be cut.
    pub segments: u32,
    /// The payload.
    pub payload: &'a [u8],
}

impl Segment<'_> {
    /// It passes, at this socket.
    pub fn pass(&self, kernel: &mut Kernel, socket: &Socket) {
        let local = SocketAddr::new(socket.address, socket.port);
        let (from, to) = match self.hook {
            Hook::Ingress => (self.client, local),
            Hook::Egress => (local, self.client),
        };
        let mut bytes = ip_header(from.ip(), to.ip(), TCP);
        for port in [from.port(), to.port()] {
            bytes.extend(port.to_be_bytes());
        }
        for number in [self.seq, self.ack] {
            bytes.extend(number.to_be_bytes());
        }
        let [high, low] = self.window.to_be_bytes();
        // Five words of header, and no checksum, urgent pointer.
        bytes.extend([0x50, self.flags, high, low, 0, 0, 0, 0]);
        bytes.extend(self.payload);
        let packet = Packet {
            bytes: &bytes,
            len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            at_ns: self.at_ns,
            ifindex: DEVICE,
            segments: self.segments,
        };
        kernel.on_packet(self.hook, &packet, socket);
    }
}
/// Any but the loopback.
const DEVICE: u32 = 2;

impl Datagram<'_> {
    /// It passes.
    pub fn pass(&self, kernel: &mut Kernel) {
        let client = IpAddr::from(self.peer.address).to_canonical();
        let local = match client {
            IpAddr::V4(_) => IpAddr::from([10, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]),
        };
        let (from, to) = match self.hook {
            Hook::Ingress => ((client, self.peer.port), (local, self.local_port)),
            Hook::Egress => ((local, self.local_port), (client, self.peer.port)),
        };
        let mut bytes = ip_header(from.0, to.0, UDP);
        for word in [from.1, to.1, 0, 0] {
            bytes.extend(word.to_be_bytes());
        }
        let end = bytes.len() + self.len as usize;
        bytes.extend(self.payload);
        bytes.resize(end, 0);
        let packet = Packet {
            bytes: &bytes,
            len: u32::try_from(end).unwrap_or(u32::MAX),
            at_ns: self.at_ns,
            ifindex: DEVICE,
            segments: 0,
        };
        let socket = Socket {
            state: State::Closed,
            cookie: 0,
            address: local,
            port: self.local_port,
            next_seq: 0,
            bytes_received: 0,
        };
        kernel.on_packet(self.hook, &packet, &socket);
    }
}
