//! The one reader of packet headers. cgroup_skb sees a packet from its IP header on, whole:
//! after reassembly, before fragmentation; headers are always in the linear part.

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    conn::Tuple,
    flow::{FLAG_FIN, FLAG_RST},
};

use crate::insn::opaque;

const TCP: u8 = 6;
const UDP: u8 = 17;
const HOP_BY_HOP: u8 = 0;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Which end of the packet is the server.
#[derive(Clone, Copy)]
pub(crate) enum Server {
    Source,
    Destination,
}

/// A TCP segment with its payload's place.
pub(crate) struct Segment {
    pub(crate) seq: u32,
    /// `None` in a RST that acknowledges nothing.
    pub(crate) ack: Option<u32>,
    /// `FLAG_*` of the flow.
    pub(crate) flags: u8,
    /// How much more the sender takes, not scaled.
    pub(crate) window: u16,
    pub(crate) payload_at: u32,
    pub(crate) payload_len: u32,
    tcp_at: usize,
    v4: bool,
}

/// Reads a segment; `None` if the packet is no TCP over IPv4 or IPv6.
///
/// The IP version is the packet's own: a v4 client of a `[::]` socket has family 10.
/// Lengths are the buffer's, not the IP header's, which says 0 beyond 64 KiB.
/// Of extension headers only a hop-by-hop one is followed: the kernel itself puts one before
/// segments beyond 64 KiB (net/ipv6/ip6_output.c, "Jumbo payload"), on loopback by default.
#[inline(always)]
pub(crate) fn segment(ctx: &SkBuffContext) -> Option<Segment> {
    let ip: &[u8; V4_HEADER] = header(ctx, 0)?;
    let (v4, next, tcp_at) = match ip[0] >> 4 {
        4 => (true, ip[9], usize::from(ip[0] & 0xf) * 4),
        6 if ip[6] == HOP_BY_HOP => {
            let extension: &[u8; 8] = header(ctx, V6_HEADER)?;
            (
                false,
                extension[0],
                V6_HEADER + (usize::from(extension[1]) + 1) * 8,
            )
        }
        6 => (false, ip[6], V6_HEADER),
        _ => return None,
    };
    if next != TCP {
        return None;
    }
    let tcp: &[u8; TCP_HEADER] = header(ctx, tcp_at)?;
    let payload_at = tcp_at as u32 + u32::from(tcp[12] >> 4) * 4;
    // A SYN takes a sequence number of its own (RFC 9293 3.4).
    let syn = u32::from((tcp[13] & SYN) >> 1);
    Some(Segment {
        seq: word(tcp, 4).wrapping_add(syn),
        ack: if tcp[13] & ACK != 0 {
            Some(word(tcp, 8))
        } else {
            None
        },
        flags: ((tcp[13] & 1) * FLAG_FIN) | (((tcp[13] >> 2) & 1) * FLAG_RST),
        window: u16::from_be_bytes([tcp[14], tcp[15]]),
        payload_at,
        payload_len: ctx.len().saturating_sub(payload_at),
        tcp_at,
        v4,
    })
}

/// A UDP datagram that is large enough for TFTP.
pub(crate) struct Datagram {
    /// The first and the second word of its payload.
    pub(crate) words: [u16; 2],
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) payload_at: u32,
    pub(crate) payload_len: u32,
    v4: bool,
}

/// True if the packet is UDP over IPv4 or IPv6, as far as the IP header says.
#[inline(always)]
pub(crate) fn is_udp(ctx: &SkBuffContext) -> bool {
    let Some(ip) = header::<V4_HEADER>(ctx, 0) else {
        return false;
    };
    match ip[0] >> 4 {
        4 => ip[9] == UDP,
        6 => ip[6] == UDP,
        _ => false,
    }
}

/// Reads a datagram, whole as it is here; `None` if it has fewer than four bytes.
#[inline(always)]
pub(crate) fn datagram(ctx: &SkBuffContext) -> Option<Datagram> {
    let ip: &[u8; V4_HEADER] = header(ctx, 0)?;
    let v4 = ip[0] >> 4 == 4;
    let udp_at = if v4 {
        usize::from(ip[0] & 0xf) * 4
    } else {
        V6_HEADER
    };
    let udp: &[u8; UDP_HEADER + 4] = header(ctx, udp_at)?;
    let pair = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
    let payload_at = (udp_at + UDP_HEADER) as u32;
    Some(Datagram {
        words: [pair(8), pair(10)],
        source_port: pair(0),
        destination_port: pair(2),
        payload_at,
        payload_len: ctx.len().saturating_sub(payload_at),
        v4,
    })
}

/// Reads the client's address into `out`, which is all zeros.
#[inline(always)]
pub(crate) fn client(
    ctx: &SkBuffContext,
    datagram: &Datagram,
    server: Server,
    out: &mut [u8; 16],
) -> Option<()> {
    if datagram.v4 {
        let at = match server {
            Server::Source => 16,
            Server::Destination => 12,
        };
        map_v4(header(ctx, 0)?, at, out);
    } else {
        let at = match server {
            Server::Source => 24,
            Server::Destination => 8,
        };
        copy(header(ctx, 0)?, at, out);
    }
    Some(())
}

/// Reads both ends into `out`, which is all zeros: only where a connection is first met.
#[inline(always)]
pub(crate) fn tuple(
    ctx: &SkBuffContext,
    segment: &Segment,
    server: Server,
    out: &mut Tuple,
) -> Option<()> {
    let (source, destination) = match server {
        Server::Source => (&mut out.server, &mut out.client),
        Server::Destination => (&mut out.client, &mut out.server),
    };
    if segment.v4 {
        let ip: &[u8; V4_HEADER] = header(ctx, 0)?;
        map_v4(ip, 12, source);
        map_v4(ip, 16, destination);
    } else {
        let ip: &[u8; V6_HEADER] = header(ctx, 0)?;
        copy(ip, 8, source);
        copy(ip, 24, destination);
    }
    let tcp: &[u8; TCP_HEADER] = header(ctx, segment.tcp_at)?;
    let (source, destination) = match server {
        Server::Source => (&mut out.server_port, &mut out.client_port),
        Server::Destination => (&mut out.client_port, &mut out.server_port),
    };
    *source = u16::from_be_bytes([tcp[0], tcp[1]]);
    *destination = u16::from_be_bytes([tcp[2], tcp[3]]);
    Some(())
}

/// The bounds-checked view that everything above stands on.
#[inline(always)]
fn header<const N: usize>(ctx: &SkBuffContext, at: usize) -> Option<&[u8; N]> {
    // SAFETY: the context is the program's own argument; these are fields of it.
    let (data, end) = unsafe {
        (
            (*ctx.skb.skb).data as usize,
            (*ctx.skb.skb).data_end as usize,
        )
    };
    // Or LLVM folds `at` into the loads below, after which the verifier no longer sees that the
    // checked pointer is the one read.
    let start = opaque((data + at) as u64) as usize;
    if start + N > end {
        return None;
    }
    // SAFETY: N bytes from `start` lie within the packet, which outlives the program run.
    Some(unsafe { &*(start as *const [u8; N]) })
}

#[inline(always)]
fn word(bytes: &[u8; TCP_HEADER], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// `::ffff:a.b.c.d`, into zeros.
#[inline(always)]
fn map_v4(ip: &[u8; V4_HEADER], at: usize, out: &mut [u8; 16]) {
    (out[10], out[11]) = (0xff, 0xff);
    (out[12], out[13], out[14], out[15]) = (ip[at], ip[at + 1], ip[at + 2], ip[at + 3]);
}

#[inline(always)]
fn copy(ip: &[u8; V6_HEADER], at: usize, out: &mut [u8; 16]) {
    let mut i = 0;
    while i < 16 {
        out[i] = ip[at + i];
        i += 1;
    }
}
