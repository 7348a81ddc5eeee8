//! What lives, exchange by exchange, for people to look at.

use super::{Connection, Exchange, Tracker};
use crate::model::{
    fact::{Asked, ExchangeId, Phases},
    first::{Rank, first},
    http::Status,
    limiter::Limiter,
    stall::WaitsFor,
    target::Target,
};

/// Where an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its head is not whole.
    Arriving,
    /// No process has taken it up.
    Waiting,
    /// The server is at work.
    Handling,
    /// The answer is being sent.
    Transferring,
    /// The last byte was sent, and not acknowledged.
    Draining,
    /// It has become a stream.
    Streaming,
}

impl Step {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arriving => "arriving",
            Self::Waiting => "waiting",
            Self::Handling => "handling",
            Self::Transferring => "transferring",
            Self::Draining => "draining",
            Self::Streaming => "stream",
        }
    }
}

/// An exchange that lives.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which one.
    pub id: ExchangeId,
    /// What was asked.
    pub asked: Asked,
    /// The beginning of its target.
    pub target: Target,
    /// The status, once it is known.
    pub status: Option<Status>,
    /// Where it is.
    pub step: Step,
    /// Where its time went so far.
    pub phases: Phases,
    /// Payload so far that was acknowledged.
    pub bytes: u64,
    /// Of how much, if that is known.
    pub total: Option<u64>,
    /// What its sending waited for of late, if it was looked at.
    pub limiter: Option<Limiter>,
    /// Segments that the server sent again, since its connection began, if it was looked at.
    pub retransmits: Option<u32>,
    /// Who is waited for, if it stands still.
    pub stalled: Option<WaitsFor>,
    /// The process that took it up, if that is known.
    pub pid: Option<u32>,
}

/// Some that live, and how many do.
#[derive(Debug, Default)]
pub struct Rows {
    /// What stands still, then the rest, each the oldest first.
    pub rows: Vec<Row>,
    /// Of so many.
    pub count: usize,
}

impl Tracker {
    /// What lives at `now_ns`: so many at most, of more those that come first.
    pub fn rows(&self, now_ns: u64, most: usize) -> Rows {
        let mut all: Vec<(Rank, &Connection, &Exchange)> = Vec::new();
        for connection in self.connections.values() {
            let rank = |exchange: &Exchange| {
                let stalled = exchange.stalled(self.stalled_after_ns);
                Some(Rank::new(stalled, exchange.asked()?.begun_ns))
            };
            let exchanges = connection.exchanges();
            all.extend(exchanges.filter_map(|one| Some((rank(one)?, connection, one))));
        }
        let count = all.len();
        let first = first(all, most, |(rank, ..)| *rank);
        let rows = first.into_iter().filter_map(|(_, connection, exchange)| {
            let row = exchange.row(now_ns, self.stalled_after_ns)?;
            Some(Row {
                retransmits: connection.retransmits(),
                step: self.known(row.step),
                ..row
            })
        });
        Rows {
            rows: rows.collect(),
            count,
        }
    }
}
