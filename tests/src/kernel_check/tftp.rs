//! The programs on this kernel, and compiled for the host: the same datagrams must tell the same
//! and leave the same state.

use std::{
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use observer_common::tftp::{ACK, DATA, ERROR, OACK, Peer, RRQ, Side, Transfer, WRQ};
use observer_user::{
    kernel::{Kernel, Settings},
    model::{event::Kind, tftp::Event},
};
use programs::{
    Hook,
    wire::{Datagram, mapped},
};

/// Datagrams of each round.
const DATAGRAMS: usize = 60;
/// Rounds, each with a client of its own.
const ROUNDS: u64 = 20;

/// Any client: on the host there is no other.
const CLIENT: Peer = Peer {
    address: [0; 16],
    port: 1,
    reserved: [0; 3],
    netns: 0,
};

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
    fn send(&self, hook: Hook, number: usize, payload: &[u8]) -> Result<()> {
        let server = self.server(number)?;
        let (sender, receiver) = match hook {
            Hook::Ingress => (&self.client, server),
            Hook::Egress => (server, &self.client),
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

impl Seen {
    /// Returns whose transfer it is.
    fn take(&mut self, record: &[u8]) -> Option<Peer> {
        let event = Event::decode(record)?;
        self.told.push((event.kind, event.data.to_vec()));
        Some(event.header.peer)
    }
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
        let mut host = programs::Kernel::new(&[], &settings.tftp_ports);
        let mut datagrams = vec![(Hook::Ingress, 0, request(RRQ, 1))];
        datagrams.extend((1..DATAGRAMS).map(|_| numbers.datagram()));
        for (hook, number, payload) in &datagrams {
            ends.send(*hook, *number, payload)?;
            let datagram = Datagram {
                hook: *hook,
                peer: CLIENT,
                local_port: ends.port(*number)?,
                at_ns: 0,
                len: u32::try_from(payload.len())?,
                payload,
            };
            datagram.pass(&mut host);
        }
        let mut expected = Seen::default();
        for record in host.transfer_events() {
            expected.take(&record);
        }
        expected.left = host.transfer(&CLIENT);
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
        peer = seen.take(record).or(peer);
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

    fn datagram(&mut self) -> (Hook, usize, Vec<u8>) {
        let hook = if self.below(2) == 0 {
            Hook::Ingress
        } else {
            Hook::Egress
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
        (hook, number, payload)
    }
}
