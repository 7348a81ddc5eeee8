//! The programs against their own rules in pure code: the same datagrams, sent for real and
//! replayed, must tell the same and leave the same state.

use std::{
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use observer_common::tftp::{ACK, DATA, ERROR, OACK, Peer, RRQ, Side, Transfer, WRQ};
use observer_user::{
    kernel::{Kernel, Settings},
    model::{
        event::Kind,
        tftp::{
            Event,
            replay::{Datagram, From, Replay},
        },
    },
};

/// Datagrams of each round.
const DATAGRAMS: usize = 60;
/// Rounds, each with a client of its own.
const ROUNDS: u64 = 20;

/// A client, and a server with its port for requests and two others.
struct Ends {
    client: UdpSocket,
    server: [UdpSocket; 3],
}

impl Ends {
    fn new(address: IpAddr) -> Result<Self> {
        let bind = || -> Result<UdpSocket> {
            let socket = UdpSocket::bind((address, 0)).context("bind")?;
            // What is not there at once never will be: it is loopback.
            socket.set_read_timeout(Some(Duration::from_secs(5)))?;
            Ok(socket)
        };
        Ok(Self {
            client: bind()?,
            server: [bind()?, bind()?, bind()?],
        })
    }

    fn port(&self, number: usize) -> Result<u16> {
        Ok(self.server(number)?.local_addr()?.port())
    }

    fn server(&self, number: usize) -> Result<&UdpSocket> {
        self.server.get(number).context("no such port")
    }

    /// Sends it, and waits until it is there.
    fn send(&self, from: From, number: usize, payload: &[u8]) -> Result<()> {
        let server = self.server(number)?;
        let (sender, receiver) = match from {
            From::Client => (&self.client, server),
            From::Server => (server, &self.client),
        };
        sender.send_to(payload, receiver.local_addr()?)?;
        receiver.recv(&mut [0; 2048]).context("it did not arrive")?;
        Ok(())
    }
}

/// What was told, and what is left of it.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    told: Vec<(Kind, Vec<u8>)>,
    left: Option<Transfer>,
}

/// Attaches, sends, and compares.
pub(super) fn check(address: IpAddr) -> Result<()> {
    let mut ends = Ends::new(address)?;
    let settings = Settings {
        tftp_ports: vec![ends.port(0)?],
        ..Settings::default()
    };
    let mut kernel = Kernel::attach(&settings)?;
    // Open to the end: a port used twice would find what its first use left.
    let mut clients = Vec::new();
    for round in 0..ROUNDS {
        let mut numbers = Numbers(round);
        let (mut replay, mut expected) = (Replay::default(), Seen::default());
        let mut datagrams = vec![(From::Client, 0, request(RRQ, 1))];
        datagrams.extend((1..DATAGRAMS).map(|_| numbers.datagram()));
        for (from, number, payload) in &datagrams {
            ends.send(*from, *number, payload)?;
            let datagram = Datagram {
                from: *from,
                peer: Peer::default(),
                local_port: ends.port(*number)?,
                at_ns: 0,
                len: u32::try_from(payload.len())?,
                payload,
            };
            replay.on_datagram(&datagram, &settings.tftp_ports, |event| {
                expected.told.push((event.kind, event.data.to_vec()));
            });
        }
        expected.left = replay.transfer(&Peer::default()).copied();
        let (seen, peer) = seen(&mut kernel)?;
        ensure!(
            peer.port == ends.client.local_addr()?.port() && peer.address == mapped(address),
            "told of another client: {peer:?}"
        );
        ensure!(
            seen == expected,
            "round {round} of {address}: {seen:#?}, not {expected:#?}"
        );
        let next = Ends::new(address)?.client;
        clients.push(std::mem::replace(&mut ends.client, next));
    }
    Ok(())
}

fn seen(kernel: &mut Kernel) -> Result<(Seen, Peer)> {
    let (mut seen, mut peer) = (Seen::default(), None);
    kernel.drain_transfers(|record| {
        if let Some(event) = Event::decode(record) {
            seen.told.push((event.kind, event.data.to_vec()));
            peer = Some(event.header.peer);
        }
    });
    let peer = peer.context("nothing was told")?;
    seen.left = kernel.transfer(&peer).map(without_time);
    Ok((seen, peer))
}

fn without_time(mut transfer: Transfer) -> Transfer {
    transfer.client.request_ns = 0;
    for side in [&mut transfer.client.side, &mut transfer.server.side] {
        *side = Side {
            first_ns: 0,
            last_ns: 0,
            moved_ns: 0,
            gap_ms: 0,
            ..*side
        };
    }
    transfer
}

fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn request(opcode: u16, file: u64) -> Vec<u8> {
    let text = format!("file{file}\0octet\0blksize\x001024\0");
    [&opcode.to_be_bytes(), text.as_bytes()].concat()
}

/// A fixed sequence of anything that can be said, what makes a transfer more often than not.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn datagram(&mut self) -> (From, usize, Vec<u8>) {
        let from = if self.below(2) == 0 {
            From::Client
        } else {
            From::Server
        };
        let number = [0, 1, 1, 1, 1, 2][usize::try_from(self.below(6)).unwrap_or(0)];
        let opcodes = [RRQ, WRQ, DATA, DATA, DATA, ACK, ACK, ACK, ERROR, OACK, 7];
        let opcode = opcodes[usize::try_from(self.below(11)).unwrap_or(0)];
        let payload = match opcode {
            RRQ | WRQ => request(opcode, self.below(2)),
            _ => {
                let block = u16::try_from(self.below(5)).unwrap_or(0);
                let len = [0, 1, 511, 512, 1024][usize::try_from(self.below(5)).unwrap_or(0)];
                [&opcode.to_be_bytes(), &block.to_be_bytes(), &*vec![7; len]].concat()
            }
        };
        (from, number, payload)
    }
}
