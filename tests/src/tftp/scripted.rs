//! Clients and servers that do what a script says, whatever the protocol does.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::netns::Netns;

/// Who says nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest datagram there is.
const LARGEST: usize = 65_535;

/// One end of a transfer: a socket, and whom it talks to.
pub struct Peer {
    socket: UdpSocket,
    /// A client learns it from the first answer.
    pub other: SocketAddr,
}

impl Peer {
    /// A client on a port of its own.
    pub fn client(netns: &Netns, server: SocketAddr) -> Result<Self> {
        Self::bind(netns, SocketAddr::new(any(server), 0), server)
    }

    /// A server's end for a transfer with `client`: on this address and port, 0 for any.
    pub fn server(netns: &Netns, local: SocketAddr, client: SocketAddr) -> Result<Self> {
        Self::bind(netns, local, client)
    }

    fn bind(netns: &Netns, local: SocketAddr, other: SocketAddr) -> Result<Self> {
        let socket = bind(netns, local)?;
        Ok(Self { socket, other })
    }

    /// Its own end.
    pub fn local(&self) -> Result<SocketAddr> {
        self.socket.local_addr().context("an address")
    }

    /// Sends a datagram.
    pub fn send(&self, message: &[u8]) -> Result<()> {
        self.socket.send_to(message, self.other).context("send")?;
        Ok(())
    }

    /// Waits for a datagram, whoever sends it, and talks to that end from now on.
    pub fn receive(&mut self) -> Result<Vec<u8>> {
        let (message, from) = receive(&self.socket)?;
        self.other = from;
        Ok(message)
    }

    /// Whether a datagram has come that was not received yet; does not wait.
    pub fn is_answered(&self) -> Result<bool> {
        self.socket.set_nonblocking(true)?;
        let looked = self.socket.peek(&mut [0]);
        self.socket.set_nonblocking(false)?;
        match looked {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            looked => looked.map(|_| true).context("look for a datagram"),
        }
    }

    /// Waits for a datagram that has to be this one.
    pub fn expect(&mut self, message: &[u8]) -> Result<()> {
        let found = self.receive()?;
        let is_it = found == message;
        ensure!(
            is_it,
            "{} instead of {}",
            found.escape_ascii(),
            message.escape_ascii()
        );
        Ok(())
    }
}

/// A port where requests are read.
pub struct Listener(UdpSocket);

impl Listener {
    /// Listens.
    pub fn bind(netns: &Netns, local: SocketAddr) -> Result<Self> {
        bind(netns, local).map(Self)
    }

    /// Waits for a request; returns it and who asks.
    pub fn accept(&self) -> Result<(Vec<u8>, SocketAddr)> {
        receive(&self.0)
    }

    /// The listener's own socket for a transfer, as a server with a single port has it.
    pub fn answer(&self, client: SocketAddr) -> Result<Peer> {
        let socket = self.0.try_clone().context("share a socket")?;
        Ok(Peer {
            socket,
            other: client,
        })
    }
}

/// RRQ.
pub fn rrq(name: &[u8], mode: &str, options: &[(&str, &str)]) -> Vec<u8> {
    request(1, name, mode, options)
}

/// WRQ.
pub fn wrq(name: &[u8], mode: &str, options: &[(&str, &str)]) -> Vec<u8> {
    request(2, name, mode, options)
}

/// DATA with `len` bytes of file.
pub fn data(block: u16, len: usize) -> Vec<u8> {
    let mut message = numbered(3, block);
    message.resize(message.len() + len, 0);
    message
}

/// ACK.
pub fn ack(block: u16) -> Vec<u8> {
    numbered(4, block)
}

/// ERROR with a text.
pub fn error(code: u16, text: &str) -> Vec<u8> {
    let mut message = numbered(5, code);
    push(&mut message, text.as_bytes());
    message
}

/// OACK.
pub fn oack(options: &[(&str, &str)]) -> Vec<u8> {
    let mut message = vec![0, 6];
    push_options(&mut message, options);
    message
}

fn request(opcode: u8, name: &[u8], mode: &str, options: &[(&str, &str)]) -> Vec<u8> {
    let mut message = vec![0, opcode];
    push(&mut message, name);
    push(&mut message, mode.as_bytes());
    push_options(&mut message, options);
    message
}

fn push_options(message: &mut Vec<u8>, options: &[(&str, &str)]) {
    for (name, value) in options {
        push(message, name.as_bytes());
        push(message, value.as_bytes());
    }
}

fn push(message: &mut Vec<u8>, string: &[u8]) {
    message.extend_from_slice(string);
    message.push(0);
}

fn numbered(opcode: u8, number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    vec![0, opcode, high, low]
}

fn any(like: SocketAddr) -> IpAddr {
    match like {
        SocketAddr::V4(_) => IpAddr::from([0; 4]),
        SocketAddr::V6(_) => IpAddr::from([0; 16]),
    }
}

fn bind(netns: &Netns, local: SocketAddr) -> Result<UdpSocket> {
    let socket = netns.inside(|| UdpSocket::bind(local))?;
    let socket = socket.with_context(|| format!("bind to {local}"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn receive(socket: &UdpSocket) -> Result<(Vec<u8>, SocketAddr)> {
    let mut message = vec![0; LARGEST];
    let (len, from) = socket.recv_from(&mut message).context("nobody speaks")?;
    message.truncate(len);
    Ok((message, from))
}
