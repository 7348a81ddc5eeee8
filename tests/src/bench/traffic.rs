//! Traffic whose both ends are in one thread on one CPU: each packet is taken up before the next
//! is sent, and nothing is left to chance but the caches.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
};

use anyhow::{Context as _, Result};
use observer_common::limits::FIRST_TURNS;

/// nginx's, of a small file.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\
    Content-Type: application/octet-stream\r\nContent-Length: 1024\r\n\
    Last-Modified: Sat, 21 Nov 2026 11:00:00 GMT\r\nConnection: keep-alive\r\n\
    ETag: \"65f0a1b2-400\"\r\nAccept-Ranges: bytes\r\n\r\n";
/// iPXE's.
const REQUEST: &str = "GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nConnection: keep-alive\r\n\
    User-Agent: iPXE/1.21.1+git20250501\r\nHost: 10.44.0.1\r\n\r\n";
const BODY: usize = 1024;
/// So many of a new connection are followed closely, and one is not.
pub(super) const FIRST_REQUESTS: usize = FIRST_TURNS as usize + 1;
/// Written in one go.
const BULK: usize = 1 << 16;

/// Both ends of HTTP connections to one port.
pub(super) struct Http {
    listener: TcpListener,
    answer: Vec<u8>,
    room: Vec<u8>,
    connections: Vec<(TcpStream, TcpStream)>,
    next: usize,
}

impl Http {
    pub(super) fn new() -> Result<Self> {
        let mut answer = ANSWER.as_bytes().to_vec();
        answer.extend(vec![b'x'; BODY]);
        Ok(Self {
            listener: TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).context("listen")?,
            room: vec![0; BULK],
            answer,
            connections: Vec::new(),
            next: 0,
        })
    }

    pub(super) fn port(&self) -> Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    fn connect(&self, number: usize) -> Result<(TcpStream, TcpStream)> {
        // Each address of the loopback has ports of its own.
        let host = u8::try_from(1 + number / 20_000)?;
        let address = SocketAddr::from(([127, 0, 0, host], self.port()?));
        let client = TcpStream::connect(address).context("connect")?;
        let (server, _) = self.listener.accept().context("accept")?;
        for end in [&client, &server] {
            end.set_nodelay(true)?;
        }
        Ok((client, server))
    }

    /// Has so many connections, each of which has had its first turns.
    pub(super) fn hold(&mut self, connections: usize) -> Result<()> {
        self.connections.truncate(connections);
        while self.connections.len() < connections {
            let mut connection = self.connect(self.connections.len())?;
            for _ in 0..FIRST_REQUESTS {
                exchange(&mut connection, &self.answer, &mut self.room)?;
            }
            self.connections.push(connection);
        }
        self.next = 0;
        Ok(())
    }

    /// How many connections it has.
    pub(super) fn held(&self) -> usize {
        self.connections.len()
    }

    /// Requests over the connections held, one after the other.
    pub(super) fn keep_alive(&mut self, requests: usize) -> Result<()> {
        self.in_turn(requests, exchange)
    }

    /// The next connections ask, and have no answer yet.
    pub(super) fn ask(&mut self, requests: usize) -> Result<()> {
        self.in_turn(requests, |connection, _, room| ask(connection, room))
    }

    /// The next connections, which have asked, have their answers.
    pub(super) fn answer(&mut self, answers: usize) -> Result<()> {
        self.in_turn(answers, answer)
    }

    fn in_turn(
        &mut self,
        times: usize,
        act: impl Fn(&mut (TcpStream, TcpStream), &[u8], &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..times {
            let connection = self
                .connections
                .get_mut(self.next)
                .context("no connection is held")?;
            act(connection, &self.answer, &mut self.room)?;
            self.next = (self.next + 1) % self.connections.len();
        }
        Ok(())
    }

    /// A connection for each request.
    pub(super) fn new_connections(&mut self, requests: usize) -> Result<()> {
        for _ in 0..requests {
            let mut connection = self.connect(0)?;
            exchange(&mut connection, &self.answer, &mut self.room)?;
            let (client, server) = connection;
            // The client first, so that no port waits on the server's side.
            drop(client);
            drop(server);
        }
        Ok(())
    }

    /// One answer of so many pieces, of 64 KiB each.
    pub(super) fn bulk(&mut self, pieces: usize) -> Result<()> {
        let (client, server) = &mut self.connect(0)?;
        client.write_all(REQUEST.as_bytes())?;
        server.read_exact(&mut self.room[..REQUEST.len()])?;
        let length = pieces * BULK;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        server.write_all(head.as_bytes())?;
        client.read_exact(&mut self.room[..head.len()])?;
        for _ in 0..pieces {
            server.write_all(&self.room)?;
            client.read_exact(&mut self.room)?;
        }
        Ok(())
    }
}

fn exchange(connection: &mut (TcpStream, TcpStream), whole: &[u8], room: &mut [u8]) -> Result<()> {
    ask(connection, room)?;
    answer(connection, whole, room)
}

fn ask((client, server): &mut (TcpStream, TcpStream), room: &mut [u8]) -> Result<()> {
    client.write_all(REQUEST.as_bytes())?;
    server.read_exact(&mut room[..REQUEST.len()])?;
    Ok(())
}

fn answer(
    (client, server): &mut (TcpStream, TcpStream),
    whole: &[u8],
    room: &mut [u8],
) -> Result<()> {
    server.write_all(whole)?;
    client.read_exact(&mut room[..whole.len()])?;
    Ok(())
}
