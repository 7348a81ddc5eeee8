//! What a transfer came to.

use std::{fmt, net::SocketAddr, time::Duration};

/// Who the file goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// RRQ: the server sends.
    Read,
    /// WRQ: the client sends.
    Write,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// Who asked.
    Client,
    /// Who was asked.
    Server,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The short block was acknowledged.
    Complete,
    /// Everything but the short block was, and the client was content with that.
    CompleteUnacked,
    /// The client wanted to know size or existence only.
    SizeProbe,
    /// The client gave up, or began anew.
    Aborted,
    /// The server's first answer was ERROR 1.
    NotFound,
    /// The server's first answer was ERROR 2.
    Denied,
    /// The server sent any other ERROR.
    ServerError,
    /// Somebody was heard no more.
    Timeout,
    /// The server never spoke.
    Unanswered,
    /// The request has no name, or no mode.
    Malformed,
}

/// A transfer, from its request to its end. What its server sends behind its end is counted, too.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Who asked.
    pub client: SocketAddr,
    /// The server's end that the client spoke to; else the one that answered first.
    pub server: Option<SocketAddr>,
    /// The name as bytes; empty if the request is malformed.
    pub file: Vec<u8>,
    /// Who the file goes to.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Outcome,
    /// File bytes as they were sent, each block once.
    pub bytes: u64,
    /// Different blocks that were sent.
    pub blocks: u64,
    /// What the server sent again: blocks and OACKs; acknowledgements, of a file written to it.
    pub retransmits: u64,
    /// How often the same request came again.
    pub repeated_requests: u64,
    /// Bytes a block: as the OACK says, else 512.
    pub blksize: u64,
    /// Blocks a window: as the OACK says, else 1.
    pub windowsize: u64,
    /// There was an OACK, DATA or an ACK of the server's: `blksize` and `windowsize` held.
    pub is_negotiated: bool,
    /// ERRORs between this client and this server, behind the end, too.
    pub errors: Vec<(Sender, u16)>,
    /// The client's host answered by ICMP that nobody listened there any more. The outcome is
    /// as the datagrams say, who cannot tell that from silence.
    pub refused: bool,
    /// When the request came, since 1970.
    pub start: Duration,
    /// When any server first answered it, since 1970.
    pub first_answer: Option<Duration>,
    /// When the last packet came that moved it, since 1970; at first the request.
    pub moved: Duration,
}

impl Operation {
    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Sender {
    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl Outcome {
    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CompleteUnacked => "complete_unacked",
            Self::SizeProbe => "size_probe",
            Self::Aborted => "aborted",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Unanswered => "unanswered",
            Self::Malformed => "malformed",
        }
    }
}

impl fmt::Display for Transfer {
    /// One line without addresses and times: the same for the same traffic.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = |(sender, code): &(Sender, u16)| format!("{}:{code}", sender.as_str());
        let errors: Vec<String> = self.errors.iter().map(error).collect();
        let errors = if errors.is_empty() {
            "-".to_owned()
        } else {
            errors.join(",")
        };
        write!(
            f,
            "{} {} bytes={} blocks={} retransmits={} errors={errors}",
            self.file.escape_ascii(),
            self.outcome.as_str(),
            self.bytes,
            self.blocks,
            self.retransmits
        )
    }
}
