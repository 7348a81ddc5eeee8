//! What was found out about transfers.

use observer_common::tftp::Peer;

use super::{Operation, Outcome};
use crate::model::{classify::Class, loss::Loss};

/// What is known of a transfer from its request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asked.
    pub peer: Peer,
    /// To do what.
    pub operation: Operation,
    /// With what: endpoint and stage.
    pub class: Class,
    /// When, `CLOCK_MONOTONIC` nanoseconds; of a repeated request the first.
    pub begun_ns: u64,
}

/// Who sent an ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The client.
    Client,
    /// The server.
    Server,
}

impl Sender {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Client, Self::Server];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// A fact about a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A request arrived.
    Begun {
        /// What was asked.
        asked: Asked,
    },
    /// The server's first packet.
    Answered {
        /// What was asked.
        asked: Asked,
        /// Since the request, nanoseconds.
        wait_ns: u64,
    },
    /// Both sides know how the transfer runs.
    Agreed {
        /// Bytes of a full block.
        block_size: u16,
        /// Blocks sent for one acknowledgement.
        window_size: u16,
    },
    /// Blocks moved, each once.
    Moved {
        /// What was asked.
        asked: Asked,
        /// File bytes to the client.
        sent: u64,
        /// File bytes to the server.
        received: u64,
        /// Blocks of them.
        blocks: u64,
        /// Packets that the server sent again.
        retransmits: u64,
    },
    /// A side sent an ERROR.
    Failed {
        /// Which.
        sender: Sender,
        /// The code (RFC 1350 5, RFC 2347).
        code: u16,
    },
    /// The transfer is over.
    Ended {
        /// What was asked.
        asked: Asked,
        /// How it ended.
        outcome: Outcome,
        /// Since the request, to the last packet that moved the transfer; nanoseconds.
        duration_ns: u64,
        /// When it ceased to be in flight, `CLOCK_MONOTONIC` nanoseconds.
        at_ns: u64,
    },
    /// A request was answered that had been given up as unanswered.
    AnsweredLate,
    /// A transfer that was begun is not in the numbers.
    Dropped {
        /// What was asked.
        asked: Asked,
        /// Why.
        loss: Loss,
        /// When, `CLOCK_MONOTONIC` nanoseconds.
        at_ns: u64,
    },
}
