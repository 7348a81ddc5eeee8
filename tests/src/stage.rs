//! A namespace, and somebody who watches one port of it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::{Context as _, Result};

use crate::{client, netns::Netns, observer::Observer};

/// Where a test plays.
pub struct Stage {
    /// Where servers and clients are.
    pub netns: Netns,
    /// Who watches.
    pub observer: Observer,
    port: u16,
}

impl Stage {
    /// Makes the namespace and starts the observer.
    pub fn new(purpose: &str, port: u16) -> Result<Self> {
        crate::require_root();
        let netns = Netns::new(purpose)?;
        let observer =
            Observer::start(&["--http-port", &port.to_string(), "--profile", "dragonfly"])?;
        Ok(Self {
            netns,
            observer,
            port,
        })
    }

    /// Listens on the port.
    pub fn listen(&self) -> Result<TcpListener> {
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, self.port));
        self.netns.inside(listen)?.context("listen")
    }

    /// A connection to the port: each write is a segment, and no read waits for ever.
    pub fn connect(&self) -> Result<TcpStream> {
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let stream = self.netns.inside(connect)?.context("connect")?;
        client::prepare(&stream)?;
        Ok(stream)
    }
}
