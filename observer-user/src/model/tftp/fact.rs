//! What was found out about transfers.

use observer_common::tftp::Peer;

use super::{Operation, Outcome};
use crate::model::{classify::Class, loss::Loss, target::Target};

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

/// What else there is to say of a transfer that ends, for who lists what ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Whose it is.
    pub peer: Peer,
    /// The beginning of the file's name.
    pub target: Target,
    /// Until it was answered, nanoseconds; `None` if it never was.
    pub wait_ns: Option<u64>,
    /// Bytes of the file, each once.
    pub bytes: u64,
    /// Packets that the server sent again.
    pub retransmits: u64,
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
    /// What it asked for, and what came of it: right before it ends.
    Named {
        /// All of that.
        summary: Summary,
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
