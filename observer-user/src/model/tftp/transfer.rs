//! One transfer, from its request to its outcome.

use observer_common::limits::TRANSFER_OVER_NS;
use observer_common::tftp::{
    SIDE_ACKED, SIDE_ERROR, SIDE_OACK, Side, Transfer as Wire, UNANSWERED_NS, blocks,
};

use super::{
    Fact, Operation, Outcome, Row,
    fact::{Asked, Sender, Summary},
    packet::{self, Options},
};
use crate::model::{
    first::Rank,
    loss::Loss,
    stall::{Standstill, WaitsFor},
    target::Target,
};

/// A transfer of which nothing is heard is over after this at the earliest, and after
/// [`SILENT_MAX_NS`] at the latest.
const SILENT_NS: u64 = 60_000_000_000;
const SILENT_MAX_NS: u64 = 180_000_000_000;
/// Repetitions that a side that waits makes at most.
const REPETITIONS: u64 = 6;
/// How long the blocks of a transfer that is over are looked for: those sent again because the
/// last acknowledgement was late.
const LINGER_NS: u64 = 10_000_000_000;

/// Without an option (RFC 1350 2).
const BLOCK_SIZE: u16 = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody answered.
    Waiting,
    /// Somebody did.
    Answered,
    /// It ended then; `late` if an answer would come late.
    Over { at_ns: u64, late: bool },
}

/// What was told of the counters.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    bytes: u64,
    blocks: u64,
    repeats: u64,
    client_error: bool,
    server_error: bool,
}

#[derive(Debug)]
pub(super) struct Transfer {
    asked: Asked,
    target: Target,
    turn: u32,
    /// What the client asked for, in case that the answer is not seen.
    timeout_ns: u64,
    /// Bytes of a full block, once that is known.
    block_size: Option<u16>,
    /// Bytes of the file, if a side said it.
    size: Option<u64>,
    /// Until it was answered.
    wait_ns: Option<u64>,
    state: State,
    told: Told,
    /// By the highest block that is acknowledged, once somebody answered.
    standstill: Option<Standstill<u64>>,
}

impl Transfer {
    pub(super) fn new(asked: Asked, target: Target, turn: u32, options: &Options) -> Self {
        // A client says how much it will write; of what it reads, that it wants to know.
        let writes = asked.operation == Operation::Write;
        Self {
            asked,
            target,
            turn,
            timeout_ns: u64::from(options.timeout.unwrap_or(0)) * 1_000_000_000,
            block_size: None,
            size: options.size.filter(|_| writes),
            wait_ns: None,
            state: State::Waiting,
            told: Told::default(),
            standstill: None,
        }
    }

    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    pub(super) fn turn(&self) -> u32 {
        self.turn
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// Whom it waits for, or waited for at its end, if it was answered and for so many nanoseconds no
    /// block was acknowledged.
    pub(super) fn stalled(&self, after_ns: u64) -> Option<WaitsFor> {
        let standstill = self.standstill.as_ref();
        standstill.and_then(|standstill| standstill.lasting(after_ns))
    }

    pub(super) fn rank(&self, stalled_after_ns: u64) -> Rank {
        Rank::new(self.stalled(stalled_after_ns), self.asked.begun_ns)
    }

    /// As people look at it, while it lives.
    pub(super) fn row(&self, stalled_after_ns: u64) -> Option<Row> {
        (!self.is_over()).then(|| Row {
            asked: self.asked,
            target: self.target,
            wait_ns: self.wait_ns,
            bytes: self.told.bytes,
            size: self.size,
            retransmits: self.told.repeats,
            stalled: self.stalled(stalled_after_ns),
        })
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over { .. })
    }

    /// True if it ended so long ago that the kernel side has forgotten it.
    pub(super) fn is_long_over(&self, now_ns: u64) -> bool {
        let State::Over { at_ns, .. } = self.state else {
            return false;
        };
        now_ns.saturating_sub(at_ns) >= TRANSFER_OVER_NS
    }

    /// True while its entry may say something new.
    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        match self.state {
            State::Over { at_ns, .. } => now_ns.saturating_sub(at_ns) < LINGER_NS,
            State::Waiting | State::Answered => true,
        }
    }

    /// The server's first packet: options that it accepted, or what it is without them.
    pub(super) fn on_answer(&mut self, wire: &Wire, data: &[u8], facts: &mut Vec<Fact>) {
        let options = packet::accepted(data).unwrap_or_default();
        self.answered(wire, Some(&options), facts);
    }

    /// The entry as it stands at `now_ns`.
    pub(super) fn on_entry(&mut self, wire: &Wire, now_ns: u64, facts: &mut Vec<Fact>) {
        if wire.client.side.turn != self.turn {
            // A request was not told of: what it asks for is lost with it.
            self.on_next(wire, now_ns, facts);
            return;
        }
        if self.is_answered(wire) {
            self.answered(wire, None, facts);
        }
        self.tell(wire, facts);
        if !self.is_over() {
            self.judge(wire, now_ns, facts);
        }
        if self.state == State::Answered {
            let (_, receiver) = self.ends(wire);
            let (place, waits_for) = (blocks(receiver.blocks), self.waits_for(wire));
            let seen = Standstill::see(self.standstill, place, waits_for, now_ns);
            self.standstill = Some(seen);
        }
    }

    /// Who has to speak: the client, when it has not answered what the server sent.
    fn waits_for(&self, wire: &Wire) -> WaitsFor {
        let (client, server) = (&wire.client.side, &wire.server.side);
        let (sender, receiver) = self.ends(wire);
        let is_sent = blocks(sender.blocks) > blocks(receiver.blocks);
        let has_options = server.flags & SIDE_OACK != 0;
        match self.asked.operation {
            Operation::Read if is_sent => WaitsFor::Client,
            // Before the first block options are acknowledged (RFC 2347).
            Operation::Read if has_options && client.flags & SIDE_ACKED == 0 => WaitsFor::Client,
            Operation::Write if !is_sent => WaitsFor::Client,
            Operation::Read | Operation::Write => WaitsFor::Server,
        }
    }

    /// The client has begun another transfer, from the same port.
    pub(super) fn on_next(&mut self, wire: &Wire, now_ns: u64, facts: &mut Vec<Fact>) {
        // Of the client nothing is left, of the server all until it answers.
        let is_left = self.is_answered(wire) && self.asked.operation == Operation::Read;
        if is_left {
            self.tell(wire, facts);
        }
        let outcome = match self.state {
            State::Over { .. } => return,
            State::Waiting => Outcome::Unanswered,
            State::Answered if is_left && self.has_sent_all(wire) => Outcome::CompleteUnacked,
            State::Answered => Outcome::Aborted,
        };
        self.end(outcome, wire, now_ns, facts);
    }

    /// Its entry is gone.
    pub(super) fn give_up(&mut self, now_ns: u64, facts: &mut Vec<Fact>) {
        if !self.is_over() {
            let (asked, loss) = (self.asked, Loss::Swept);
            facts.push(Fact::Dropped {
                asked,
                loss,
                at_ns: now_ns,
            });
        }
    }

    fn is_answered(&self, wire: &Wire) -> bool {
        wire.server.side.turn == self.turn
    }

    fn answered(&mut self, wire: &Wire, options: Option<&Options>, facts: &mut Vec<Fact>) {
        let server = &wire.server.side;
        match self.state {
            State::Waiting => self.state = State::Answered,
            State::Over { at_ns, late: true } => {
                self.state = State::Over { at_ns, late: false };
                facts.push(Fact::AnsweredLate);
                return;
            }
            State::Answered | State::Over { .. } => return,
        }
        let wait_ns = server.first_ns.saturating_sub(self.asked.begun_ns);
        self.wait_ns = Some(wait_ns);
        let asked = self.asked;
        facts.push(Fact::Answered { asked, wait_ns });
        if server.flags & SIDE_ERROR != 0 && blocks(server.blocks) == 0 {
            return;
        }
        // Not told, they are guessed from the first block.
        let has_options = server.flags & SIDE_OACK != 0;
        let Some(options) = options.copied().or((!has_options).then(Options::default)) else {
            return;
        };
        let block_size = options.block_size.unwrap_or(BLOCK_SIZE);
        self.block_size = Some(block_size);
        self.size = options.size.or(self.size);
        if let Some(seconds) = options.timeout {
            self.timeout_ns = u64::from(seconds) * 1_000_000_000;
        }
        facts.push(Fact::Agreed {
            block_size,
            window_size: options.window_size.unwrap_or(1),
        });
    }

    /// Tells what the counters say beyond what was told.
    fn tell(&mut self, wire: &Wire, facts: &mut Vec<Fact>) {
        self.tell_errors(wire, facts);
        if !self.is_answered(wire) {
            return;
        }
        let repeats = u64::from(wire.server.side.repeats);
        let bytes = match self.asked.operation {
            Operation::Read => wire.server.side.bytes,
            Operation::Write => wire.client.side.bytes,
        };
        let blocks = blocks(self.ends(wire).0.blocks);
        let moved = bytes.saturating_sub(self.told.bytes);
        let retransmits = repeats.saturating_sub(self.told.repeats);
        if moved != 0 || retransmits != 0 {
            let (sent, received) = match self.asked.operation {
                Operation::Read => (moved, 0),
                Operation::Write => (0, moved),
            };
            facts.push(Fact::Moved {
                asked: self.asked,
                sent,
                received,
                blocks: blocks.saturating_sub(self.told.blocks),
                retransmits,
            });
        }
        (self.told.bytes, self.told.blocks, self.told.repeats) = (bytes, blocks, repeats);
    }

    fn tell_errors(&mut self, wire: &Wire, facts: &mut Vec<Fact>) {
        let (client, server) = (&wire.client.side, &wire.server.side);
        let told = &mut self.told;
        for (sender, side, told) in [
            (Sender::Client, client, &mut told.client_error),
            (Sender::Server, server, &mut told.server_error),
        ] {
            if side.turn == self.turn && side.flags & SIDE_ERROR != 0 && !*told {
                *told = true;
                let code = side.error;
                facts.push(Fact::Failed { sender, code });
            }
        }
    }

    /// Ends it if it is over.
    fn judge(&mut self, wire: &Wire, now_ns: u64, facts: &mut Vec<Fact>) {
        let outcome = match self.state {
            State::Waiting => {
                let waited = now_ns.saturating_sub(wire.client.request_ns);
                (waited >= UNANSWERED_NS).then_some(Outcome::Unanswered)
            }
            State::Answered => self
                .by_error(wire)
                .or_else(|| self.is_complete(wire).then_some(Outcome::Complete))
                .or_else(|| self.by_silence(wire, now_ns)),
            State::Over { .. } => None,
        };
        if let Some(outcome) = outcome {
            self.end(outcome, wire, now_ns, facts);
        }
    }

    fn by_error(&self, wire: &Wire) -> Option<Outcome> {
        let (client, server) = (&wire.client.side, &wire.server.side);
        let has_failed = |flags: u16| flags & SIDE_ERROR != 0;
        // Some servers answer an ERROR with one.
        let client_first = !has_failed(server.flags) || client.last_ns <= server.last_ns;
        if has_failed(client.flags) && client_first {
            return Some(self.given_up(wire));
        }
        let is_first = blocks(server.blocks) == 0 && server.flags & SIDE_OACK == 0;
        has_failed(server.flags).then_some(match (is_first, server.error) {
            (true, 1) => Outcome::NotFound,
            (true, 2) => Outcome::Denied,
            _ => Outcome::ServerError,
        })
    }

    /// The client sent an ERROR. Firmware asks for a file's size, and boot loaders whether it is
    /// there, by beginning to read it.
    fn given_up(&self, wire: &Wire) -> Outcome {
        let (client, server) = (&wire.client.side, &wire.server.side);
        let without_options = server.flags & SIDE_OACK == 0
            && blocks(client.blocks) == 0
            && blocks(server.blocks) <= 1;
        let is_probe = match client.error {
            0 | 8 => blocks(client.blocks) <= 1,
            4 => without_options,
            _ => false,
        };
        if self.asked.operation == Operation::Read && is_probe {
            Outcome::SizeProbe
        } else {
            Outcome::Aborted
        }
    }

    /// True if the last block is acknowledged.
    fn is_complete(&self, wire: &Wire) -> bool {
        let (sender, receiver) = self.ends(wire);
        self.has_sent_all(wire) && blocks(sender.blocks) == blocks(receiver.blocks)
    }

    /// True if the highest block is the last: shorter than a full one.
    fn has_sent_all(&self, wire: &Wire) -> bool {
        let (sender, _) = self.ends(wire);
        let full = match self.block_size {
            Some(size) => size.into(),
            // Where it was not told, by the first.
            None if blocks(sender.blocks) > 1 => sender.block_len,
            None => BLOCK_SIZE.into(),
        };
        blocks(sender.blocks) != 0 && sender.last_len < full
    }

    /// Who sends blocks, and who acknowledges them.
    fn ends<'a>(&self, wire: &'a Wire) -> (&'a Side, &'a Side) {
        let (client, server) = (&wire.client.side, &wire.server.side);
        match self.asked.operation {
            Operation::Read => (server, client),
            Operation::Write => (client, server),
        }
    }

    fn by_silence(&self, wire: &Wire, now_ns: u64) -> Option<Outcome> {
        let (client, server) = (&wire.client.side, &wire.server.side);
        let gap_ns = u64::from(client.gap_ms.max(server.gap_ms)) * 1_000_000;
        let patience = (4 * gap_ns).max(REPETITIONS * self.timeout_ns);
        let patience = patience.clamp(SILENT_NS, SILENT_MAX_NS);
        let last_ns = client.last_ns.max(server.last_ns);
        let last_ns = last_ns.max(wire.client.request_ns);
        if now_ns.saturating_sub(last_ns) < patience {
            return None;
        }
        let only_last_is_missing = self.asked.operation == Operation::Read
            && self.has_sent_all(wire)
            && blocks(client.blocks) + 1 == blocks(server.blocks)
            && client.last_ns <= server.moved_ns;
        // A block that is full for all that was told.
        let (sender, receiver) = self.ends(wire);
        let has_all = self.block_size.is_none() && receiver.blocks == sender.blocks;
        Some(match (only_last_is_missing, has_all) {
            (true, _) => Outcome::CompleteUnacked,
            (_, true) => Outcome::Complete,
            (false, false) => Outcome::Timeout,
        })
    }

    fn end(&mut self, outcome: Outcome, wire: &Wire, now_ns: u64, facts: &mut Vec<Fact>) {
        let (client, server) = (&wire.client.side, &wire.server.side);
        let is_mine = |turn: u32| turn == self.turn;
        let moved = [client, server]
            .into_iter()
            .filter(|side| is_mine(side.turn))
            .map(|side| side.moved_ns)
            .max();
        let moved_ns = moved.unwrap_or(now_ns).max(self.asked.begun_ns);
        // It was in flight for as long as somebody waited for it.
        let at_ns = if outcome == Outcome::Complete {
            moved_ns
        } else {
            now_ns.max(moved_ns)
        };
        let late = outcome == Outcome::Unanswered;
        self.state = State::Over { at_ns, late };
        facts.push(Fact::Named {
            summary: Summary {
                peer: self.asked.peer,
                target: self.target,
                wait_ns: self.wait_ns,
                bytes: self.told.bytes,
                retransmits: self.told.repeats,
            },
        });
        facts.push(Fact::Ended {
            asked: self.asked,
            outcome,
            duration_ns: moved_ns - self.asked.begun_ns,
            at_ns,
        });
    }
}
