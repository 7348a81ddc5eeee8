//! Which transfer a datagram belongs to.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    time::Duration,
};

use super::message::{Message, Request};

/// What was captured, and when, since 1970.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) time: Duration,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) message: Message,
}

/// A request, and all that followed it on the client's port until another request.
pub(super) struct Conversation {
    pub(super) client: SocketAddr,
    pub(super) request: Request,
    pub(super) start: Duration,
    /// Also those of a second server end that a repeated request has woken.
    pub(super) packets: Vec<Packet>,
    /// Another request came from the client's port.
    pub(super) superseded: bool,
    last_request: Duration,
    servers: HashSet<SocketAddr>,
    /// A DATA was acknowledged, or there was an ERROR: the same request is not a repetition now.
    is_underway: bool,
}

/// A request that comes again later than this after the one before is another one: the first
/// was not answered.
pub(super) const UNANSWERED: Duration = Duration::from_secs(60);
/// "Unknown transfer ID" is about the datagram's own pair of ports only.
pub(super) const UNKNOWN_TID: u16 = 5;

/// Sorts packets, in the order of the capture, by their conversations.
pub(super) fn sort(packets: Vec<Packet>) -> Vec<Conversation> {
    let mut sorted = Sorted::default();
    for packet in packets {
        sorted.add(packet);
    }
    sorted.conversations
}

#[derive(Default)]
struct Sorted {
    conversations: Vec<Conversation>,
    /// Places in `conversations`, the newest last.
    of_client: HashMap<SocketAddr, Vec<usize>>,
}

impl Sorted {
    fn add(&mut self, packet: Packet) {
        match &packet.message {
            Message::Request(request) => self.add_request(request.clone(), packet),
            Message::Data { .. }
            | Message::Ack(_)
            | Message::Error(_)
            | Message::Oack(_)
            | Message::Refused => {
                if let Some(place) = self.place(&packet) {
                    self.conversations[place].add(packet);
                }
            }
        }
    }

    fn add_request(&mut self, request: Request, packet: Packet) {
        let places = self.of_client.entry(packet.from).or_default();
        if let Some(place) = places.last() {
            let last = &mut self.conversations[*place];
            if last.is_repeated_by(&request, packet.time) {
                last.last_request = packet.time;
                last.packets.push(packet);
                return;
            }
            last.superseded = true;
        }
        places.push(self.conversations.len());
        self.conversations.push(Conversation::new(request, &packet));
    }

    /// Ports are used again, by clients and by servers: who has met the other end before is
    /// meant, else the newest.
    fn place(&self, packet: &Packet) -> Option<usize> {
        let ends = [(packet.from, packet.to), (packet.to, packet.from)];
        let all = ends.iter().flat_map(|(client, server)| {
            let places = self.of_client.get(client).into_iter().flatten();
            places.map(move |place| (self.conversations[*place].servers.contains(server), *place))
        });
        all.max().map(|(_, place)| place)
    }
}

impl Conversation {
    fn new(request: Request, packet: &Packet) -> Self {
        Self {
            client: packet.from,
            request,
            start: packet.time,
            packets: Vec::new(),
            superseded: false,
            last_request: packet.time,
            // Where requests go, a single-port server also sends from: then the newest is meant.
            servers: HashSet::from([packet.to]),
            is_underway: false,
        }
    }

    fn is_repeated_by(&self, request: &Request, time: Duration) -> bool {
        let is_soon = time.saturating_sub(self.last_request) <= UNANSWERED;
        self.request == *request && !self.is_underway && is_soon
    }

    fn add(&mut self, packet: Packet) {
        // Late packets of a conversation that the client has left.
        if self.superseded {
            return;
        }
        if packet.from != self.client {
            self.servers.insert(packet.from);
        }
        self.is_underway |= match packet.message {
            Message::Ack(block) => block != 0,
            Message::Error(code) => code != UNKNOWN_TID,
            Message::Request(_) | Message::Data { .. } | Message::Oack(_) | Message::Refused => {
                false
            }
        };
        self.packets.push(packet);
    }

    /// The server's end: whom the client speaks to, else who answered first.
    pub(super) fn server(&self) -> Option<SocketAddr> {
        let is_meant = |packet: &&Packet| {
            let is_request = matches!(packet.message, Message::Request(_));
            packet.from == self.client
                && !is_request
                && packet.message != Message::Error(UNKNOWN_TID)
        };
        let meant = self.packets.iter().find(is_meant).map(|packet| packet.to);
        meant.or_else(|| self.answers().next().map(|packet| packet.from))
    }

    /// What servers said.
    pub(super) fn answers(&self) -> impl Iterator<Item = &Packet> {
        let is_answer =
            |packet: &&Packet| packet.from != self.client && packet.message != Message::Refused;
        self.packets.iter().filter(is_answer)
    }
}
