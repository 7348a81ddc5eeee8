//! Both ends of TFTP transfers in one thread: each datagram is taken up before the next is sent.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::{Context as _, Result};

use crate::tftp::scripted;

/// Bytes of a full block.
const BLOCK: usize = 512;

/// Transfers from one server, which all go on.
pub(super) struct Tftp {
    listener: UdpSocket,
    /// The server's end of all of them.
    server: UdpSocket,
    clients: Vec<Client>,
    next: usize,
}

/// One client, of one transfer.
struct Client {
    socket: UdpSocket,
    address: SocketAddr,
    /// The latest block it has.
    block: u16,
}

impl Tftp {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            listener: bind()?,
            server: bind()?,
            clients: Vec::new(),
            next: 0,
        })
    }

    pub(super) fn port(&self) -> Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// So many clients more ask for a file.
    pub(super) fn begin(&mut self, transfers: usize) -> Result<()> {
        let (server, request) = (
            self.listener.local_addr()?,
            scripted::rrq(b"vmlinuz", "octet", &[]),
        );
        for _ in 0..transfers {
            let socket = bind()?;
            socket.send_to(&request, server)?;
            self.listener.recv(&mut [0; BLOCK])?;
            self.clients.push(Client {
                address: socket.local_addr()?,
                socket,
                block: 0,
            });
        }
        self.next = 0;
        Ok(())
    }

    /// Full blocks of the transfers in turn, each acknowledged.
    pub(super) fn pairs(&mut self, pairs: usize) -> Result<()> {
        self.blocks(pairs, BLOCK)
    }

    /// The next transfers have their last block, and acknowledge it.
    pub(super) fn finish(&mut self, transfers: usize) -> Result<()> {
        self.blocks(transfers, 0)
    }

    /// Nobody listens any more.
    pub(super) fn leave(&mut self) {
        self.clients.clear();
        self.next = 0;
    }

    fn blocks(&mut self, blocks: usize, len: usize) -> Result<()> {
        let (mut data, mut ack) = (scripted::data(0, len), scripted::ack(0));
        let server = self.server.local_addr()?;
        let mut room = [0; 4 + BLOCK];
        for _ in 0..blocks {
            let client = self.clients.get_mut(self.next).context("no transfer")?;
            client.block = client.block.wrapping_add(1);
            for message in [&mut data, &mut ack] {
                message[2..4].copy_from_slice(&client.block.to_be_bytes());
            }
            self.server.send_to(&data, client.address)?;
            client.socket.recv(&mut room)?;
            client.socket.send_to(&ack, server)?;
            self.server.recv(&mut room)?;
            self.next = (self.next + 1) % self.clients.len();
        }
        Ok(())
    }
}

fn bind() -> Result<UdpSocket> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("bind")
}
