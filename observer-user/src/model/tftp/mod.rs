//! TFTP transfers: from kernel events, and entries looked at, to facts. Sans I/O, as the tracker
//! of HTTP.
//!
//! Invariant: every request that was told of ends as exactly one [`Fact::Ended`] or
//! [`Fact::Dropped`], or is in flight.

mod event;
pub mod fact;
mod packet;
mod transfer;

use std::{collections::HashSet, sync::Arc};

use foldhash::{HashMap, HashMapExt as _};
use observer_common::{
    limits::TRANSFERS,
    tftp::{Peer, Transfer as Wire},
};

pub use self::{event::Event, fact::Fact, packet::request};
use self::{fact::Asked, packet::Options, transfer::Transfer};
use super::{
    classify::{Access, Class, Classifier, Proto, Subject},
    event::Kind,
    first::first,
    loss::Loss,
    stall::{STALLED_AFTER_NS, WaitsFor},
    target::Target,
    track::Live,
};

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// RRQ.
    Read,
    /// WRQ.
    Write,
}

impl Operation {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    fn access(self) -> Access {
        match self {
            Self::Read => Access::Read,
            Self::Write => Access::Write,
        }
    }
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The last block was acknowledged.
    Complete,
    /// The last block was sent, all before it were acknowledged, and the client said nothing more.
    CompleteUnacked,
    /// The client wanted to know how large the file is, or whether it is there.
    SizeProbe,
    /// The client gave up.
    Aborted,
    /// The server has no such file.
    NotFound,
    /// The server does not give it out, or take it.
    Denied,
    /// The server gave up, for another reason.
    ServerError,
    /// Both fell silent before the end.
    Timeout,
    /// Nobody answered within 60 s of the last repetition.
    Unanswered,
    /// The request could not be read.
    Malformed,
}

impl Outcome {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Complete,
        Self::CompleteUnacked,
        Self::SizeProbe,
        Self::Aborted,
        Self::NotFound,
        Self::Denied,
        Self::ServerError,
        Self::Timeout,
        Self::Unanswered,
        Self::Malformed,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
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

    /// True if somebody did not get what was asked for.
    pub fn is_failure(self) -> bool {
        !self.is_complete() && self != Self::SizeProbe
    }

    /// True if the whole file was sent.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Complete | Self::CompleteUnacked)
    }
}

/// A transfer that lives, as people look at it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What was asked.
    pub asked: fact::Asked,
    /// The beginning of the file's name.
    pub target: Target,
    /// Until it was answered, nanoseconds; `None` while nobody has.
    pub wait_ns: Option<u64>,
    /// Bytes of the file so far.
    pub bytes: u64,
    /// Bytes of the file, if a side said it.
    pub size: Option<u64>,
    /// Packets that the server sent again.
    pub retransmits: u64,
    /// Who is waited for, if it stands still.
    pub stalled: Option<WaitsFor>,
}

/// Every transfer under way, and those that were a moment ago.
pub struct Transfers {
    classifier: Arc<Classifier>,
    transfers: HashMap<Peer, Transfer>,
    stalled_after_ns: u64,
}

impl Transfers {
    /// None yet.
    pub fn new(classifier: Arc<Classifier>) -> Self {
        Self {
            classifier,
            transfers: HashMap::new(),
            stalled_after_ns: STALLED_AFTER_NS,
        }
    }

    /// Says of transfers that they stand still once nothing moved for so long.
    pub fn stalled_after(mut self, ns: u64) -> Self {
        self.stalled_after_ns = ns;
        self
    }

    /// Takes other rules and another time, for what begins from now on and for what stands still.
    pub fn reload(&mut self, classifier: Arc<Classifier>, stalled_after_ns: u64) {
        self.classifier = classifier;
        self.stalled_after_ns = stalled_after_ns;
    }

    /// Takes a kernel event.
    pub fn on_event(&mut self, event: &Event<'_>, facts: &mut Vec<Fact>) {
        let (header, now_ns) = (&event.header, event.header.at_ns);
        let (peer, wire) = (header.peer, &header.transfer);
        if event.kind == Kind::TftpRequest {
            self.on_request(event, facts);
            return;
        }
        let Some(transfer) = self.transfers.get_mut(&peer) else {
            return;
        };
        if event.kind == Kind::TftpAnswer && wire.client.side.turn == transfer.turn() {
            transfer.on_answer(wire, event.data, facts);
        }
        transfer.on_entry(wire, now_ns, facts);
    }

    /// Takes the kernel's entry of a transfer that [`Self::due`] named, as it stands at `now_ns`.
    pub fn on_entry(&mut self, peer: &Peer, entry: &Wire, now_ns: u64, facts: &mut Vec<Fact>) {
        if let Some(transfer) = self.transfers.get_mut(peer) {
            transfer.on_entry(entry, now_ns, facts);
        }
    }

    /// Whose entries are wanted at `now_ns`.
    pub fn due(&self, now_ns: u64) -> Vec<Peer> {
        let due = |(peer, transfer): (&Peer, &Transfer)| transfer.is_due(now_ns).then_some(*peer);
        self.transfers.iter().filter_map(due).collect()
    }

    /// Forgets those whose entries are `gone`.
    pub fn forget(&mut self, gone: &HashSet<Peer>, now_ns: u64, facts: &mut Vec<Fact>) {
        for peer in gone {
            if let Some(mut transfer) = self.transfers.remove(peer) {
                transfer.give_up(now_ns, facts);
            }
        }
    }

    /// Forgets what has long been over.
    pub fn sweep(&mut self, now_ns: u64) {
        self.transfers
            .retain(|_, transfer| !transfer.is_long_over(now_ns));
    }

    /// True while a transfer of this client is under way.
    pub fn is_busy(&self, peer: &Peer) -> bool {
        self.transfers
            .get(peer)
            .is_some_and(|transfer| !transfer.is_over())
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.transfers.len()
    }

    /// True if none is known.
    pub fn is_empty(&self) -> bool {
        self.transfers.is_empty()
    }

    /// What lives now, by endpoint.
    pub fn live(&self) -> Live {
        let mut live = Live::default();
        let lives = |transfer: &&Transfer| !transfer.is_over();
        for transfer in self.transfers.values().filter(lives) {
            let asked = transfer.asked();
            let endpoint = asked.class.endpoint.index();
            live.begin(endpoint, asked.begun_ns, transfer.is_waiting());
            if let Some(waits_for) = transfer.stalled(self.stalled_after_ns) {
                live.stall(endpoint, waits_for);
            }
        }
        live
    }

    /// All that are in flight: what was asked, and whether nobody has answered.
    pub fn under_way(&self) -> impl Iterator<Item = (&Asked, bool)> {
        let lives = |transfer: &&Transfer| !transfer.is_over();
        let transfers = self.transfers.values().filter(lives);
        transfers.map(|transfer| (transfer.asked(), transfer.is_waiting()))
    }

    /// What lives, so many at most, of more those that come first, and how many there are.
    pub fn rows(&self, most: usize) -> (Vec<Row>, usize) {
        let lives = |transfer: &&Transfer| !transfer.is_over();
        let all: Vec<&Transfer> = self.transfers.values().filter(lives).collect();
        let count = all.len();
        let rank = |transfer: &&Transfer| transfer.rank(self.stalled_after_ns);
        let first = first(all, most, rank).into_iter();
        let rows = first.filter_map(|transfer| transfer.row(self.stalled_after_ns));
        (rows.collect(), count)
    }

    fn on_request(&mut self, event: &Event<'_>, facts: &mut Vec<Fact>) {
        let (header, wire) = (&event.header, &event.header.transfer);
        if let Some(mut former) = self.transfers.remove(&header.peer) {
            former.on_next(wire, header.at_ns, facts);
        }
        let read = packet::request(event.data);
        let (operation, name, access, options) = match &read {
            Some(request) => {
                let access = request.operation.access();
                (request.operation, request.name, access, request.options)
            }
            None => (Operation::Read, &b""[..], Access::Other, Options::default()),
        };
        let class = self.class(access, name);
        let asked = Asked {
            peer: header.peer,
            operation,
            class,
            begun_ns: header.at_ns,
        };
        facts.push(Fact::Begun { asked });
        if read.is_none() {
            facts.push(Fact::Ended {
                asked,
                outcome: Outcome::Malformed,
                duration_ns: 0,
                at_ns: header.at_ns,
            });
            return;
        }
        if self.transfers.len() >= TRANSFERS as usize {
            // The kernel's table bounds ours; more can only be what is long over.
            let (loss, at_ns) = (Loss::TableFull, header.at_ns);
            facts.push(Fact::Dropped { asked, loss, at_ns });
            return;
        }
        let transfer = Transfer::new(asked, Target::new(name), wire.client.side.turn, &options);
        self.transfers.insert(header.peer, transfer);
    }

    fn class(&self, access: Access, target: &[u8]) -> Class {
        self.classifier.classify(Subject {
            proto: Proto::Tftp,
            access,
            target,
        })
    }
}

#[cfg(test)]
mod stalls;
#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the facts that it is about"
)]
mod tests;
