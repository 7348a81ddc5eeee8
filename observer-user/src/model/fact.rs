//! What the tracker found out: the one stream that metrics, live view and verdict consume.

use observer_common::conn::Tuple;

use super::{
    classify::Class,
    http::{Method, Status},
    limiter::Limited,
    loss::Loss,
    target::Target,
    unread::Unread,
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
    /// When the request line was complete: it is in flight from then on.
    pub line_ns: u64,
}

/// Who cut an exchange short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client closed or reset first.
    Client,
    /// The server did, or closed without an answer.
    Server,
    /// Neither: the connection was given up.
    Timeout,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Client, Self::Server, Self::Timeout];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Timeout => "timeout",
        }
    }
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With the response's last byte sent.
    Complete,
    /// Cut short.
    Aborted(Side),
}

/// Where the time of an exchange went, in nanoseconds: spans that do not overlap, and whose
/// sum is the duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// The head was there and no process had taken it up; `None` if that is not known, and
    /// then part of `handle`.
    pub queue: Option<u64>,
    /// The request was arriving.
    pub receive: u64,
    /// The server was at work.
    pub handle: u64,
    /// The response was being sent; `None` without one.
    pub transfer: Option<u64>,
}

impl Phases {
    /// Their sum: first request byte to last response byte sent, or until somebody gave up.
    pub fn duration(&self) -> u64 {
        self.queue.unwrap_or(0) + self.receive + self.handle + self.transfer.unwrap_or(0)
    }
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
    /// Payload behind the heads was acknowledged by who it was for, each byte once.
    Moved {
        /// Which exchange.
        id: ExchangeId,
        /// What was asked.
        asked: Asked,
        /// To the server.
        request_bytes: u64,
        /// To the client.
        response_bytes: u64,
    },
    /// What it asked for: right before it ends, for who lists what ended.
    Named {
        /// Which exchange.
        id: ExchangeId,
        /// The beginning of its target.
        target: Target,
    },
    /// The exchange is over.
    Ended {
        /// Which exchange.
        id: ExchangeId,
        /// What was asked.
        asked: Asked,
        /// The status, if a status line was sent.
        status: Option<Status>,
        /// Where its time went.
        phases: Phases,
        /// Bytes of the response, head included.
        response_bytes: u64,
        /// How it ended.
        outcome: Outcome,
        /// Of its transfer phase, nanoseconds that were told as [`Fact::Limited`].
        sampled_ns: u64,
    },
    /// What the sending of an answer waited for, since it was last told.
    Limited {
        /// What was asked.
        asked: Asked,
        /// Nanoseconds by what it waited for.
        limited: Limited,
    },
    /// The exchange became a stream at its head: it has no duration.
    Streaming {
        /// Which exchange.
        id: ExchangeId,
        /// What was asked.
        asked: Asked,
        /// The status.
        status: Status,
        /// First byte of the response, `CLOCK_MONOTONIC` nanoseconds.
        at_ns: u64,
    },
    /// The client has acknowledged the whole response of an exchange that ended complete.
    Delivered {
        /// What was asked.
        asked: Asked,
        /// Last byte sent to its acknowledgement, nanoseconds, where that is known.
        drain_ns: Option<u64>,
    },
    /// It never did: what ended complete for the server was cut short.
    Undelivered {
        /// What was asked.
        asked: Asked,
        /// By whom.
        side: Side,
    },
    /// A request behind a response that closed the connection: never served, and no request
    /// for anybody.
    Discarded {
        /// What was asked.
        asked: Asked,
    },
    /// An exchange that was begun, of early data that another connection displaced: the kernel
    /// side counts it as lost.
    Displaced {
        /// What was asked.
        asked: Asked,
    },
    /// An exchange that was begun is not in the numbers.
    Dropped {
        /// What was asked.
        asked: Asked,
        /// Why.
        loss: Loss,
    },
    /// Something else is not in the numbers.
    Lost(Loss),
    /// Something was not understood; what became of its request is told beside it.
    Unread(Unread),
}
