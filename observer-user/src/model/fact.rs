//! What the tracker found out: the one stream that metrics, live view and verdict consume.

use observer_common::conn::Tuple;

use super::{
    classify::Class,
    http::{Method, Status},
    loss::Loss,
};

/// One exchange, while it lives: a connection and its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeId {
    /// The socket's cookie; 0 while the server has not accepted.
    pub cookie: u64,
    /// The turn on it.
    pub turn: u32,
}

/// What is known of a request from its first line on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asked whom.
    pub tuple: Tuple,
    /// How.
    pub method: Method,
    /// For what: endpoint and stage.
    pub class: Class,
    /// First byte, `CLOCK_MONOTONIC` nanoseconds.
    pub begun_ns: u64,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With the response's last byte sent.
    Complete,
    /// Cut short by the client.
    AbortedByClient,
    /// Cut short by the server, or closed without an answer.
    AbortedByServer,
}

/// A fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A request line is complete.
    Begun {
        /// Which exchange.
        id: ExchangeId,
        /// What was asked.
        asked: Asked,
    },
    /// A status line arrived.
    Answered {
        /// Which exchange.
        id: ExchangeId,
        /// The status.
        status: Status,
        /// First byte of the response, `CLOCK_MONOTONIC` nanoseconds.
        at_ns: u64,
    },
    /// The exchange is over.
    Ended {
        /// Which exchange.
        id: ExchangeId,
        /// What was asked.
        asked: Asked,
        /// The status, if a status line was sent.
        status: Option<Status>,
        /// First request byte to last response byte sent, nanoseconds.
        duration_ns: u64,
        /// Bytes of the response, head included.
        response_bytes: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something is not in the numbers.
    Lost(Loss),
}
