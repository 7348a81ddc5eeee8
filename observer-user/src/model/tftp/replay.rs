//! The kernel side's part in pure code: from datagrams to the events that the programs would
//! tell. What a packet changes is the programs' own code ([`observer_common::tftp`]).

use std::collections::HashMap;

use observer_common::{
    event::TransferHeader,
    limits::TFTP_CAPTURED,
    tftp::{DIGESTED, HEADER, OACK, Packet, Peer, RRQ, Seen, Tells, Transfer, WRQ, digest},
};

use super::Event;
use crate::model::event::Kind;

/// Who sent a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The client: it arrives.
    Client,
    /// The server: it leaves.
    Server,
}

/// A datagram at the server's host.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub from: From,
    /// The client's end.
    pub peer: Peer,
    /// The server's port.
    pub local_port: u16,
    /// When, nanoseconds.
    pub at_ns: u64,
    /// How long its payload is on the wire.
    pub len: u32,
    /// The payload, maybe cut.
    pub payload: &'a [u8],
}

/// The state of all transfers, as the kernel keeps it.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    transfers: HashMap<Peer, Transfer>,
}

impl Replay {
    /// Takes a datagram; requests count at `ports` only. Calls `tell` with the event, if there is
    /// one.
    pub fn on_datagram(
        &mut self,
        datagram: &Datagram<'_>,
        ports: &[u16],
        tell: impl FnOnce(&Event<'_>),
    ) {
        let Some(packet) = packet(datagram) else {
            return;
        };
        let tells = match datagram.from {
            From::Client if packet.opcode <= WRQ => {
                if !ports.contains(&packet.local_port) {
                    return;
                }
                let transfer = self.transfers.entry(datagram.peer).or_default();
                let server = Seen::of(&transfer.server.side);
                let digest = digested(datagram);
                transfer.client.on_request(&server, &packet, digest)
            }
            From::Client => self.change(&datagram.peer, |transfer| {
                let server = Seen::of(&transfer.server.side);
                transfer.client.on_packet(&server, &packet)
            }),
            From::Server if packet.opcode <= WRQ => return,
            From::Server => self.change(&datagram.peer, |transfer| {
                let client = Seen::of(&transfer.client.side);
                transfer.server.on_packet(&client, &packet)
            }),
        };
        if let (Some(kind), Some(transfer)) = (kind(tells), self.transfers.get(&datagram.peer)) {
            let data = datagram.payload;
            let data = data.get(..TFTP_CAPTURED).unwrap_or(data);
            let header = TransferHeader {
                peer: datagram.peer,
                at_ns: datagram.at_ns,
                len: u16::try_from(data.len()).unwrap_or(u16::MAX),
                kind: kind.number(),
                transfer: *transfer,
                ..TransferHeader::default()
            };
            tell(&Event { kind, header, data });
        }
    }

    /// The state of a client's transfer.
    pub fn transfer(&self, peer: &Peer) -> Option<&Transfer> {
        self.transfers.get(peer)
    }

    fn change(&mut self, peer: &Peer, by: impl FnOnce(&mut Transfer) -> Tells) -> Tells {
        self.transfers.get_mut(peer).map_or(Tells::Nothing, by)
    }
}

fn kind(tells: Tells) -> Option<Kind> {
    Some(match tells {
        Tells::Nothing => return None,
        Tells::Request => Kind::TftpRequest,
        Tells::Answer => Kind::TftpAnswer,
        Tells::Acknowledged => Kind::TftpAcknowledged,
        Tells::Error => Kind::TftpError,
    })
}

fn packet(datagram: &Datagram<'_>) -> Option<Packet> {
    let word = |at: usize| {
        let bytes = datagram.payload.get(at..at + 2)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    };
    let (opcode, number) = (word(0)?, word(2)?);
    (RRQ..=OACK).contains(&opcode).then_some(Packet {
        opcode,
        number,
        len: datagram.len.saturating_sub(HEADER),
        local_port: datagram.local_port,
        at_ns: datagram.at_ns,
    })
}

fn digested(datagram: &Datagram<'_>) -> u64 {
    let mut bytes = [0; DIGESTED];
    for (to, from) in bytes.iter_mut().zip(datagram.payload) {
        *to = *from;
    }
    digest(&bytemuck::cast(bytes), datagram.len)
}
