//! What the packets of a conversation add up to.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use super::{
    blocks::Rollover,
    conversation::{Conversation, Packet, UNANSWERED},
    message::{Message, Options},
    transfer::{Operation, Outcome, Sender, Transfer},
};

/// RFC 1350's.
const BLKSIZE: u64 = 512;

/// What the server says is wrong (RFC 1350, and 8 of RFC 2347).
mod code {
    pub(super) const UNDEFINED: u16 = 0;
    pub(super) const NOT_FOUND: u16 = 1;
    pub(super) const DENIED: u16 = 2;
    pub(super) const ILLEGAL: u16 = 4;
    pub(super) const OPTIONS: u16 = 8;
}

/// Plays a conversation to its end, and on until nothing could come any more.
pub(super) fn replay(conversation: &Conversation) -> Transfer {
    let mut replay = Replay::new(conversation);
    for packet in &conversation.packets {
        replay.step(packet);
    }
    replay.finish()
}

struct Replay<'a> {
    conversation: &'a Conversation,
    server: Option<SocketAddr>,
    rollover: Rollover,
    transfer: Transfer,
    last_request: Duration,
    ended: Option<Outcome>,
    oack: bool,
    /// Places in the file.
    sent: HashSet<u64>,
    highest: u64,
    /// The last one, which is shorter than the others.
    short: Option<u64>,
    acknowledged: Option<u64>,
    /// The client asked again for what lies before the short block.
    asks_behind_short: bool,
}

impl<'a> Replay<'a> {
    fn new(conversation: &'a Conversation) -> Self {
        let request = &conversation.request;
        let numbers = conversation.packets.iter().filter_map(data_number);
        let server = conversation.server();
        let is_malformed = request.file.is_none();
        Self {
            conversation,
            server,
            rollover: Rollover::of(numbers),
            transfer: Transfer {
                client: conversation.client,
                server,
                file: request.file.clone().unwrap_or_default(),
                operation: request.operation,
                // Until it is known.
                outcome: Outcome::Malformed,
                bytes: 0,
                blocks: 0,
                retransmits: 0,
                repeated_requests: 0,
                blksize: BLKSIZE,
                windowsize: 1,
                is_negotiated: false,
                errors: Vec::new(),
                refused: false,
                start: conversation.start,
                first_answer: conversation.answers().next().map(|packet| packet.time),
                moved: conversation.start,
            },
            last_request: conversation.start,
            ended: is_malformed.then_some(Outcome::Malformed),
            oack: false,
            sent: HashSet::new(),
            highest: 0,
            short: None,
            acknowledged: None,
            asks_behind_short: false,
        }
    }

    fn step(&mut self, packet: &Packet) {
        let Some(sender) = self.sender(packet) else {
            return;
        };
        if let Message::Error(code) = packet.message {
            self.transfer.errors.push((sender, code));
        }
        if let Some(ended) = self.ended {
            self.after(ended, packet, sender);
            return;
        }
        self.note_late_answer(packet, sender);
        let file_from = match self.transfer.operation {
            Operation::Read => Sender::Server,
            Operation::Write => Sender::Client,
        };
        match &packet.message {
            Message::Request(_) => self.repeat(packet.time),
            Message::Oack(options) if sender == Sender::Server => self.oack(options, packet.time),
            Message::Data { block, len } if sender == file_from => {
                self.data(*block, *len, sender, packet.time);
            }
            Message::Ack(block) if sender != file_from => self.ack(*block, sender, packet.time),
            Message::Error(code) => self.error(*code, sender),
            Message::Refused => self.transfer.refused = true,
            // In the wrong direction.
            Message::Oack(_) | Message::Data { .. } | Message::Ack(_) => {}
        }
    }

    /// A server that has not heard of the end goes on, until it gives up itself.
    fn after(&mut self, outcome: Outcome, packet: &Packet, sender: Sender) {
        let was_served = !matches!(outcome, Outcome::Malformed | Outcome::Unanswered);
        let failed = self
            .transfer
            .errors
            .iter()
            .any(|(of, _)| *of == Sender::Server);
        if sender != Sender::Server || failed || !was_served {
            return;
        }
        let (ended, moved) = (self.ended, self.transfer.moved);
        match (&packet.message, self.transfer.operation) {
            (Message::Oack(options), _) => self.oack(options, packet.time),
            (Message::Data { block, len }, Operation::Read) => {
                self.data(*block, *len, sender, packet.time);
            }
            (Message::Ack(block), Operation::Write) => self.ack(*block, sender, packet.time),
            _ => {}
        }
        (self.ended, self.transfer.moved) = (ended, moved);
    }

    /// Who of the two sent it; a second server end is neither. Who is refused is the server.
    fn sender(&self, packet: &Packet) -> Option<Sender> {
        if matches!(packet.message, Message::Request(_)) {
            return Some(Sender::Client);
        }
        let from_client = packet.from == self.conversation.client;
        let other = if from_client { packet.to } else { packet.from };
        let sender = match from_client {
            true => Sender::Client,
            false => Sender::Server,
        };
        (Some(other) == self.server).then_some(sender)
    }

    /// Who is answered later than anybody waits has not been.
    fn note_late_answer(&mut self, packet: &Packet, sender: Sender) {
        let is_first = sender == Sender::Server && self.transfer.first_answer == Some(packet.time);
        if is_first && packet.time.saturating_sub(self.last_request) > UNANSWERED {
            self.ended = Some(Outcome::Unanswered);
        }
    }

    fn repeat(&mut self, time: Duration) {
        self.transfer.repeated_requests += 1;
        self.last_request = time;
        self.asks_behind_short |= self.short.is_some();
    }

    fn oack(&mut self, options: &Options, time: Duration) {
        self.transfer.is_negotiated = true;
        if self.oack {
            self.transfer.retransmits += 1;
            return;
        }
        self.oack = true;
        self.transfer.blksize = options.number("blksize").unwrap_or(BLKSIZE);
        self.transfer.windowsize = options.number("windowsize").unwrap_or(1);
        self.transfer.moved = time;
    }

    fn data(&mut self, number: u16, len: u64, sender: Sender, time: Duration) {
        self.transfer.is_negotiated |= sender == Sender::Server;
        let place = self.rollover.place(number, self.highest);
        if place == 0 {
            return;
        }
        if self.sent.insert(place) {
            self.transfer.bytes += len;
            self.transfer.blocks += 1;
            self.transfer.moved = time;
            self.highest = self.highest.max(place);
            if len < self.transfer.blksize {
                self.short = Some(place);
            }
        } else if sender == Sender::Server {
            self.transfer.retransmits += 1;
        }
    }

    fn ack(&mut self, number: u16, sender: Sender, time: Duration) {
        self.transfer.is_negotiated |= sender == Sender::Server;
        let place = self.rollover.place(number, self.highest);
        if place > self.highest {
            return;
        }
        if self.acknowledged.is_none_or(|before| before < place) {
            self.acknowledged = Some(place);
            self.transfer.moved = time;
        } else if sender == Sender::Server {
            self.transfer.retransmits += 1;
        } else {
            self.asks_behind_short |= self.short.is_some();
        }
        if self.short.is_some_and(|short| place >= short) {
            self.ended = Some(Outcome::Complete);
        }
    }

    fn error(&mut self, code: u16, sender: Sender) {
        self.ended = Some(match sender {
            Sender::Server if self.transfer.is_negotiated => Outcome::ServerError,
            Sender::Server => match code {
                code::NOT_FOUND => Outcome::NotFound,
                code::DENIED => Outcome::Denied,
                _ => Outcome::ServerError,
            },
            Sender::Client if self.is_probe(code) => Outcome::SizeProbe,
            Sender::Client => Outcome::Aborted,
        });
    }

    /// The client has heard what it wanted to know, and says so by this ERROR.
    fn is_probe(&self, code: u16) -> bool {
        let acknowledged = self.acknowledged.unwrap_or(0);
        let is_probe = match code {
            code::UNDEFINED | code::OPTIONS => acknowledged <= 1,
            // It does not know what to do with a server that ignores its options.
            code::ILLEGAL => !self.oack && self.highest == 1 && acknowledged == 0,
            _ => false,
        };
        is_probe && self.transfer.is_negotiated && self.transfer.operation == Operation::Read
    }

    fn finish(self) -> Transfer {
        let outcome = self.ended.unwrap_or_else(|| self.left());
        Transfer {
            outcome,
            ..self.transfer
        }
    }

    /// Nothing ended it, but there is nothing more of it.
    fn left(&self) -> Outcome {
        let superseded = self.conversation.superseded;
        if self.transfer.first_answer.is_none() {
            Outcome::Unanswered
        } else if self.lacks_last_ack() && (superseded || !self.asks_behind_short) {
            Outcome::CompleteUnacked
        } else if superseded {
            Outcome::Aborted
        } else {
            Outcome::Timeout
        }
    }

    /// Of a file that is read: we are where the acknowledgements of one that is written are sent.
    fn lacks_last_ack(&self) -> bool {
        let acknowledged = self.acknowledged.unwrap_or(0);
        let is_last = self.short.is_some_and(|short| acknowledged + 1 == short);
        is_last && self.transfer.operation == Operation::Read
    }
}

fn data_number(packet: &Packet) -> Option<u16> {
    match packet.message {
        Message::Data { block, .. } => Some(block),
        Message::Request(_)
        | Message::Ack(_)
        | Message::Error(_)
        | Message::Oack(_)
        | Message::Refused => None,
    }
}

#[cfg(test)]
mod tests;
