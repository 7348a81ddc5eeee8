//! TFTP (RFC 1350): counters of a transfer's packets, and an event where it turns. What each
//! packet changes is in `observer_common::tftp`.

use core::mem::MaybeUninit;

use aya_ebpf::programs::SkBuffContext;
use observer_common::{
    event::{TFTP_ACKNOWLEDGED, TFTP_ANSWER, TFTP_ERROR, TFTP_REQUEST},
    tftp::{DIGESTED, HEADER, OACK, Packet, Peer, RRQ, Seen, Tells, Transfer, WRQ, digest},
};

use crate::{
    capture, clock, local,
    maps::{ports, transfers},
    packet::{self, Datagram, Server},
    sock,
    zeroed::zeroed,
};

/// Client to server.
#[inline(always)]
pub(crate) fn on_ingress(ctx: &SkBuffContext) -> Option<()> {
    let datagram = tftp(ctx)?;
    let packet = packet(&datagram, datagram.destination_port);
    if packet.opcode <= WRQ {
        return request(ctx, &datagram, packet);
    }
    let mut peer = MaybeUninit::uninit();
    let peer = peer_of(ctx, &datagram, Server::Destination, &mut peer)?;
    let transfer = transfers::get(peer)?;
    let packet = at_now(packet);
    // SAFETY: a live element; ingress is the only writer of `client`.
    let tells = unsafe {
        let server = Seen::read(&raw const (*transfer).server.side);
        (*transfer).client.on_packet(&server, &packet)
    };
    tell(ctx, tells, peer, transfer, &datagram, &packet);
    Some(())
}

/// Server to client.
#[inline(always)]
pub(crate) fn on_egress(ctx: &SkBuffContext) -> Option<()> {
    let datagram = tftp(ctx)?;
    let packet = packet(&datagram, datagram.source_port);
    if packet.opcode <= WRQ {
        return None;
    }
    let mut peer = MaybeUninit::uninit();
    let peer = peer_of(ctx, &datagram, Server::Source, &mut peer)?;
    let transfer = transfers::get(peer)?;
    let packet = at_now(packet);
    // SAFETY: a live element; egress is the only writer of `server`.
    let tells = unsafe {
        let client = Seen::read(&raw const (*transfer).client.side);
        (*transfer).server.on_packet(&client, &packet)
    };
    tell(ctx, tells, peer, transfer, &datagram, &packet);
    Some(())
}

/// A request opens a transfer, at the ports where servers wait for one.
#[inline(always)]
fn request(ctx: &SkBuffContext, datagram: &Datagram, packet: Packet) -> Option<()> {
    if !ports::takes_tftp(packet.local_port) || local::is_left_out(ctx) {
        return None;
    }
    let mut peer = MaybeUninit::uninit();
    let peer = peer_of(ctx, datagram, Server::Destination, &mut peer)?;
    let transfer = transfers::get_or_create(peer)?;
    let packet = at_now(packet);
    let digest = digested(ctx, datagram);
    // SAFETY: a live element; ingress is the only writer of `client`.
    let tells = unsafe {
        let server = Seen::read(&raw const (*transfer).server.side);
        (*transfer).client.on_request(&server, &packet, digest)
    };
    tell(ctx, tells, peer, transfer, datagram, &packet);
    Some(())
}

/// The datagram, if it begins as TFTP does: what all other UDP traffic pays for.
#[inline(always)]
fn tftp(ctx: &SkBuffContext) -> Option<Datagram> {
    let datagram = packet::datagram(ctx)?;
    (datagram.words[0] >= RRQ && datagram.words[0] <= OACK).then_some(datagram)
}

#[inline(always)]
fn packet(datagram: &Datagram, local_port: u16) -> Packet {
    Packet {
        opcode: datagram.words[0],
        number: datagram.words[1],
        len: datagram.payload_len.saturating_sub(HEADER),
        local_port,
        at_ns: 0,
    }
}

/// Only what is a transfer's is stamped.
#[inline(always)]
fn at_now(packet: Packet) -> Packet {
    Packet {
        at_ns: clock::now(),
        ..packet
    }
}

#[inline(always)]
fn peer_of<'a>(
    ctx: &SkBuffContext,
    datagram: &Datagram,
    server: Server,
    place: &'a mut MaybeUninit<Peer>,
) -> Option<&'a Peer> {
    let peer = zeroed(place);
    packet::client(ctx, datagram, server, &mut peer.address)?;
    peer.port = match server {
        Server::Source => datagram.destination_port,
        Server::Destination => datagram.source_port,
    };
    peer.netns = sock::netns(ctx);
    Some(peer)
}

#[inline(always)]
fn digested(ctx: &SkBuffContext, datagram: &Datagram) -> u64 {
    let mut words = MaybeUninit::<[u64; DIGESTED / 8]>::uninit();
    let words = zeroed(&mut words);
    let len = if datagram.payload_len > DIGESTED as u32 {
        DIGESTED as u32
    } else {
        datagram.payload_len
    };
    let bytes = (&raw mut *words).cast::<[u8; DIGESTED]>();
    capture::load(ctx, datagram.payload_at, bytes, len);
    digest(words, datagram.payload_len)
}

#[inline(always)]
fn tell(
    ctx: &SkBuffContext,
    tells: Tells,
    peer: &Peer,
    transfer: *const Transfer,
    datagram: &Datagram,
    packet: &Packet,
) {
    let kind = match tells {
        Tells::Nothing => return,
        Tells::Request => TFTP_REQUEST,
        Tells::Answer => TFTP_ANSWER,
        Tells::Acknowledged => TFTP_ACKNOWLEDGED,
        Tells::Error => TFTP_ERROR,
    };
    transfers::tell(ctx, kind, peer, transfer, datagram, packet.at_ns);
}
