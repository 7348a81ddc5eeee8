//! What a request came to.

use std::{fmt, net::SocketAddr, time::Duration};

/// Who an exchange was cut short by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Closed or reset before it had everything.
    Client,
    /// Closed or reset before everything was sent.
    Server,
    /// Neither: one of them was heard no more.
    Timeout,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server sent the whole response, and the client acknowledged it.
    Complete,
    /// By who closed or reset first.
    Aborted(Side),
    /// The capture ended first.
    InFlight,
}

/// A request, and what answered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its address and port.
    pub client: SocketAddr,
    /// Of the request on its connection, from 1; if the capture joined midway, of those it has.
    pub number: u32,
    /// As on the wire.
    pub method: String,
    /// As on the wire; bytes that are no UTF-8 are replaced.
    pub target: String,
    /// Of the final response, once its status line is whole.
    pub status: Option<u16>,
    /// Of the response and of the interim ones before it, heads included, each once: as far as
    /// the server's last segment or the client's last acknowledgement shows that they were sent.
    /// What follows an upgrade or a CONNECT is a body.
    pub bytes: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// A request on this connection did not wait for the end of the answer before.
    pub pipelined: bool,
    /// When the request's first byte came, since 1970.
    pub start: Duration,
}

impl Side {
    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Timeout => "timeout",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Aborted(side) => write!(f, "aborted by {}", side.as_str()),
            Self::InFlight => f.write_str("in flight"),
        }
    }
}

impl fmt::Display for Exchange {
    /// One line without addresses and times: the same for the same traffic.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client: _,
            number,
            method,
            target,
            status,
            bytes,
            outcome,
            pipelined,
            start: _,
        } = self;
        let status = status.map_or("none".to_owned(), |status| status.to_string());
        write!(
            f,
            "{number} {method} {target} {status} bytes={bytes} {outcome}"
        )?;
        f.write_str(if *pipelined { " pipelined" } else { "" })
    }
}
