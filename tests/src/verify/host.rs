//! The host of a capture: its sockets as its packets tell of them, and the programs on its hooks.
//!
//! What no packet tells is not here: when a process took bytes, and that an accept queue was full.
//! Segments of an answer that a capture lacks are passed where later ones show that they were sent,
//! with zeros for bytes: a capture of a boot is small without them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    time::Duration,
};

use observer_common::{conn::Tuple, flow::is_after};
use programs::{
    Hook, Kernel, Socket, State,
    wire::{self, mapped},
};

use super::capture::{Packet, Segment, Transport};

/// A moment that is not 0.
const BEGINNING_NS: u64 = 1_000_000_000;
/// Of what is passed in one go, where the capture has it not.
const PIECE: u32 = 1 << 15;
/// Any device but the loopback.
const DEVICE: u32 = 2;

/// A host that serves at some ports.
pub(super) struct Host {
    pub(super) kernel: Kernel,
    http_ports: Vec<u16>,
    tftp_ports: Vec<u16>,
    tftp_clients: HashSet<SocketAddr>,
    connections: HashMap<(SocketAddr, SocketAddr), Connection>,
    cookies: u64,
    began: Option<Duration>,
}

/// A TCP connection, by its server.
struct Connection {
    cookie: u64,
    /// Its first sequence number, if that was seen.
    began: Option<u32>,
    shakes_hands: bool,
    next_seq: u32,
    bytes_received: u64,
    /// Segments behind a gap: where they end, by where they begin.
    early: BTreeMap<u32, u32>,
    /// Behind what the server has sent, once that is known.
    sent: Option<u32>,
    /// Behind the client's FIN.
    client_end: Option<u32>,
    /// Behind the server's FIN.
    server_end: Option<u32>,
    server_end_acknowledged: bool,
}

impl Connection {
    fn begun(cookie: u64, seq: u32) -> Self {
        Self {
            began: Some(seq),
            shakes_hands: true,
            next_seq: seq.wrapping_add(1),
            bytes_received: 0,
            ..Self::midway(cookie, seq)
        }
    }

    fn midway(cookie: u64, next_seq: u32) -> Self {
        Self {
            cookie,
            began: None,
            shakes_hands: false,
            next_seq,
            bytes_received: 1,
            early: BTreeMap::new(),
            sent: None,
            client_end: None,
            server_end: None,
            server_end_acknowledged: false,
        }
    }

    fn socket(&self, local: SocketAddr) -> Socket {
        Socket {
            state: if self.shakes_hands {
                State::Listen
            } else {
                State::Connected
            },
            cookie: self.cookie,
            address: local.ip(),
            port: local.port(),
            next_seq: self.next_seq,
            bytes_received: self.bytes_received,
        }
    }

    /// What TCP does with a segment of the client's.
    fn receive(&mut self, segment: &Segment) {
        if segment.syn {
            return;
        }
        self.shakes_hands = false;
        if segment.len != 0 {
            let end = segment.seq.wrapping_add(segment.len);
            self.early
                .entry(segment.seq)
                .and_modify(|known| *known = if is_after(end, *known) { end } else { *known })
                .or_insert(end);
        }
        while let Some(seq) = self.in_order() {
            let Some(end) = self.early.remove(&seq) else {
                break;
            };
            if is_after(end, self.next_seq) {
                self.bytes_received += u64::from(end.wrapping_sub(self.next_seq));
                self.next_seq = end;
            }
        }
        if segment.fin {
            let end = segment.seq.wrapping_add(segment.len);
            self.client_end = Some(end.wrapping_add(1));
        }
        if let (Some(end), Some(ack)) = (self.server_end, segment.ack)
            && !is_after(end, ack)
        {
            self.server_end_acknowledged = true;
        }
    }

    fn has_sent(&mut self, end: u32) {
        if self.sent.is_none_or(|sent| is_after(end, sent)) {
            self.sent = Some(end);
        }
    }

    /// A segment that is not behind a gap.
    fn in_order(&self) -> Option<u32> {
        let mut starts = self.early.keys().copied();
        starts.find(|seq| !is_after(*seq, self.next_seq))
    }

    /// Both sides have closed, and know it: TCP keeps no more than a name of it.
    fn is_over(&self) -> bool {
        let all_received = self
            .client_end
            .is_some_and(|end| self.next_seq.wrapping_add(1) == end);
        all_received && self.server_end_acknowledged
    }
}

impl Host {
    pub(super) fn new(http_ports: &[u16], tftp_ports: &[u16]) -> Self {
        Self {
            kernel: Kernel::new(http_ports, tftp_ports),
            http_ports: http_ports.to_vec(),
            tftp_ports: tftp_ports.to_vec(),
            tftp_clients: HashSet::new(),
            connections: HashMap::new(),
            cookies: 0,
            began: None,
        }
    }

    /// When a packet passes, by the host's clock.
    pub(super) fn at(&mut self, packet: &Packet) -> u64 {
        let began = *self.began.get_or_insert(packet.time);
        let since = packet.time.saturating_sub(began).as_nanos();
        BEGINNING_NS + u64::try_from(since).unwrap_or(u64::MAX / 2)
    }

    /// It passes.
    pub(super) fn take(&mut self, packet: &Packet) {
        let now_ns = self.at(packet);
        match packet.transport {
            Transport::Udp => self.datagram(packet, now_ns),
            Transport::Tcp(segment) if self.http_ports.contains(&packet.to.port()) => {
                self.on_asked(packet, &segment, now_ns);
            }
            Transport::Tcp(segment) if self.http_ports.contains(&packet.from.port()) => {
                self.on_answered(packet, &segment, now_ns);
            }
            Transport::Tcp(_) => {}
        }
    }

    fn datagram(&mut self, packet: &Packet, now_ns: u64) {
        let asks = self.tftp_ports.contains(&packet.to.port())
            && matches!(packet.payload().get(..2), Some([0, 1 | 2]));
        if asks {
            self.tftp_clients.insert(packet.from);
        }
        let (hook, local) = if self.tftp_clients.contains(&packet.from) {
            (Hook::Ingress, packet.to)
        } else {
            (Hook::Egress, packet.from)
        };
        let socket = Connection::midway(0, 0).socket(local);
        self.run(hook, packet, &socket, now_ns);
    }

    fn on_asked(&mut self, packet: &Packet, segment: &Segment, now_ns: u64) {
        let ends = (packet.from, packet.to);
        if segment.syn && segment.ack.is_none() {
            let is_again = |known: &Connection| known.began == Some(segment.seq);
            if !self.connections.get(&ends).is_some_and(is_again) {
                self.destroy(ends, now_ns);
                let cookie = self.next_cookie();
                let begun = Connection::begun(cookie, segment.seq);
                self.connections.insert(ends, begun);
            }
        }
        let Some(connection) = self.connection(ends, segment, segment.seq) else {
            return;
        };
        let socket = connection.socket(packet.to);
        if let Some(ack) = segment.ack {
            self.fill(ends, ack, now_ns);
        }
        let Some(connection) = self.connections.get_mut(&ends) else {
            return;
        };
        let is_reset = segment.rst && segment.seq == connection.next_seq;
        connection.receive(segment);
        let is_over = is_reset || connection.is_over();
        self.run(Hook::Ingress, packet, &socket, now_ns);
        if is_over {
            self.destroy(ends, now_ns);
        }
    }

    fn on_answered(&mut self, packet: &Packet, segment: &Segment, now_ns: u64) {
        let ends = (packet.to, packet.from);
        let next_seq = segment.ack.unwrap_or(0);
        let Some(connection) = self.connection(ends, segment, next_seq) else {
            return;
        };
        let mut socket = connection.socket(packet.from);
        if segment.syn {
            connection.sent = Some(segment.seq.wrapping_add(1));
        } else if !segment.rst {
            self.fill(ends, segment.seq, now_ns);
        }
        let Some(connection) = self.connections.get_mut(&ends) else {
            return;
        };
        if segment.len != 0 {
            connection.has_sent(segment.seq.wrapping_add(segment.len));
        }
        if segment.fin {
            let end = segment.seq.wrapping_add(segment.len);
            connection.server_end = Some(end.wrapping_add(1));
        }
        if segment.rst {
            // An abortive close lets the port go before its RST leaves.
            (socket.state, socket.port) = (State::Closed, 0);
        }
        self.run(Hook::Egress, packet, &socket, now_ns);
        if segment.rst {
            self.destroy(ends, now_ns);
        }
    }

    /// Passes what the server must have sent by now, and the capture has not.
    fn fill(&mut self, ends: (SocketAddr, SocketAddr), until: u32, now_ns: u64) {
        while let Some(connection) = self.connections.get_mut(&ends) {
            let Some(sent) = connection.sent.filter(|sent| is_after(until, *sent)) else {
                return;
            };
            if connection.server_end.is_some() {
                // It is the FIN that is acknowledged.
                return;
            }
            let len = until.wrapping_sub(sent).min(PIECE);
            connection.has_sent(sent.wrapping_add(len));
            let missing = wire::Segment {
                hook: Hook::Egress,
                client: ends.0,
                at_ns: now_ns,
                seq: sent,
                ack: connection.next_seq,
                flags: wire::flags::ACK,
                segments: 0,
                window: u16::MAX,
                payload: &vec![0; len as usize],
            };
            missing.pass(&mut self.kernel, &connection.socket(ends.1));
        }
    }

    /// The connection, joined midway if it is not known and this segment has bytes of it.
    fn connection(
        &mut self,
        ends: (SocketAddr, SocketAddr),
        segment: &Segment,
        next_seq: u32,
    ) -> Option<&mut Connection> {
        if !self.connections.contains_key(&ends) {
            if segment.rst || segment.len == 0 {
                return None;
            }
            let joined = Connection::midway(self.next_cookie(), next_seq);
            self.connections.insert(ends, joined);
        }
        self.connections.get_mut(&ends)
    }

    fn run(&mut self, hook: Hook, packet: &Packet, socket: &Socket, at_ns: u64) {
        let seen = programs::Packet {
            bytes: &packet.bytes,
            len: u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX),
            at_ns,
            ifindex: DEVICE,
            segments: 0,
        };
        self.kernel.on_packet(hook, &seen, socket);
    }

    fn destroy(&mut self, ends: (SocketAddr, SocketAddr), now_ns: u64) {
        if let Some(connection) = self.connections.remove(&ends) {
            let tuple = tuple(ends.0, ends.1);
            self.kernel.on_destroy(connection.cookie, tuple, now_ns);
        }
    }

    fn next_cookie(&mut self) -> u64 {
        self.cookies += 1;
        self.cookies
    }
}

fn tuple(client: SocketAddr, server: SocketAddr) -> Tuple {
    Tuple {
        client: mapped(client.ip()),
        server: mapped(server.ip()),
        client_port: client.port(),
        server_port: server.port(),
    }
}
