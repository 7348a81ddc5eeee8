//! A kernel for the programs: it runs them, and shows what they leave.

use std::{marker::PhantomData, net::IpAddr};

use aya_ebpf::{
    EbpfContext, Global,
    bindings::{__sk_buff, bpf_sock, bpf_tcp_sock},
    maps::{Array, HashMap, RingBuf},
    programs::SkBuffContext,
};
use observer_common::{
    conn::{Conn, Tuple},
    limits, port,
    tftp::{Peer, Transfer},
};

use crate::{close, packets, pickup, traced::TracedSock};

/// The programs' maps and settings, by the names that the loader finds them by.
mod symbols {
    use super::*;

    #[expect(improper_ctypes, reason = "both sides are Rust")]
    unsafe extern "C" {
        pub(super) safe static PORTS: Array<u8>;
        pub(super) safe static WATCHED: Array<u64>;
        pub(super) safe static STATS: Array<u64>;
        pub(super) safe static CONNS: HashMap<u64, Conn>;
        pub(super) safe static PENDING: HashMap<Tuple, Conn>;
        pub(super) safe static PIPES: HashMap<u64, observer_common::pipe::Pipe>;
        pub(super) safe static TRANSFERS: HashMap<Peer, Transfer>;
        pub(super) safe static RETRANSMITS: HashMap<u16, u64>;
        pub(super) safe static EVENTS: RingBuf;
        pub(super) safe static TRANSFER_EVENTS: RingBuf;
        pub(super) safe static RING_BYTES: Global<u32>;
    }
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// To a socket of this host.
    Ingress,
    /// From one.
    Egress,
}

/// What a socket is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It listens: the connection has no socket of its own yet.
    Listen,
    /// It is connected, or closing.
    Connected,
    /// It is closed.
    Closed,
}

/// The local socket of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    /// What it is doing.
    pub state: State,
    /// Its number.
    pub cookie: u64,
    /// Its own address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The next sequence number that it expects.
    pub next_seq: u32,
    /// How many bytes it has received.
    pub bytes_received: u64,
}

impl Socket {
    fn raw(&self) -> bpf_sock {
        let (src_ip4, src_ip6) = match self.address {
            IpAddr::V4(address) => (u32::from_ne_bytes(address.octets()), [0; 4]),
            IpAddr::V6(address) => (0, bytemuck::cast(address.octets())),
        };
        bpf_sock {
            src_port: self.port.into(),
            // include/net/tcp_states.h
            state: match self.state {
                State::Connected => 1,
                State::Closed => 7,
                State::Listen => 10,
            },
            src_ip4,
            src_ip6,
            cookie: self.cookie,
            tcp: bpf_tcp_sock {
                rcv_nxt: self.next_seq,
                bytes_received: self.bytes_received,
            },
        }
    }
}

/// A packet, from its IP header on.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// What is there of it.
    pub bytes: &'a [u8],
    /// How long it is.
    pub len: u32,
    /// When it is here, in nanoseconds.
    pub at_ns: u64,
    /// The device; 1 is loopback.
    pub ifindex: u32,
    /// Segments that the device makes of it; 0 of one that is not to be cut.
    pub segments: u32,
}

/// This thread's kernel with the programs attached.
pub struct Kernel {
    // Its state is the thread's.
    not_send: PhantomData<*mut ()>,
}

/// A socket as a tracepoint shows it.
struct Traced {
    tuple: Tuple,
    cookie: u64,
    pid: u32,
}

impl TracedSock for Traced {
    fn port(&self) -> u16 {
        self.tuple.server_port
    }

    fn cookie(&self) -> u64 {
        self.cookie
    }

    fn known_cookie(&self) -> Option<u64> {
        Some(self.cookie)
    }

    fn tuple(&self) -> Tuple {
        self.tuple
    }
}

impl EbpfContext for Traced {
    fn tgid(&self) -> u32 {
        self.pid
    }
}

impl Kernel {
    /// With nothing seen yet. There is one a thread.
    pub fn new(http_ports: &[u16], tftp_ports: &[u16]) -> Self {
        aya_ebpf::reset();
        symbols::RING_BYTES.set(limits::RING_BYTES);
        for port in http_ports {
            let (word, bit) = port::watched_bit(*port);
            if let Some(bits) = symbols::WATCHED.get_ptr_mut(word) {
                // SAFETY: a live element, and no program runs.
                unsafe { *bits |= bit };
            }
        }
        for port in tftp_ports {
            if let Some(flags) = symbols::PORTS.get_ptr_mut((*port).into()) {
                // SAFETY: a live element, and no program runs.
                unsafe { *flags |= port::TFTP };
            }
        }
        // As user space does; of a new table there is none.
        let _ = symbols::RETRANSMITS.insert(port::OTHERS, 0, 0);
        Self {
            not_send: PhantomData,
        }
    }

    /// A packet of this socket passes.
    pub fn on_packet(&mut self, hook: Hook, packet: &Packet<'_>, socket: &Socket) {
        aya_ebpf::set_now(packet.at_ns);
        let mut sock = socket.raw();
        let mut skb = __sk_buff::new(packet.bytes, packet.len, Some(&mut sock));
        skb.ifindex = packet.ifindex;
        skb.gso_segs = packet.segments;
        let ctx = SkBuffContext::new(&raw mut skb);
        let _ = match hook {
            Hook::Ingress => packets::on_ingress::<true>(&ctx),
            Hook::Egress => packets::on_egress::<true>(&ctx),
        };
        settle();
    }

    /// A process takes received bytes from this socket.
    pub fn on_recv(&mut self, cookie: u64, tuple: Tuple, pid: u32, at_ns: u64) {
        aya_ebpf::set_now(at_ns);
        let traced = Traced { tuple, cookie, pid };
        let _ = pickup::on_recv(&traced, &traced);
        settle();
    }

    /// The socket is gone.
    pub fn on_destroy(&mut self, cookie: u64, tuple: Tuple, at_ns: u64) {
        aya_ebpf::set_now(at_ns);
        let traced = Traced {
            tuple,
            cookie,
            pid: 0,
        };
        let _ = close::on_destroy(&traced, &traced);
        settle();
    }

    /// How many segments were sent again, from this port; `None` if it has no counter.
    pub fn retransmits(&self, port: u16) -> Option<u64> {
        // SAFETY: a live element, and no program runs.
        symbols::RETRANSMITS
            .get_ptr_mut(port)
            .map(|count| unsafe { *count })
    }

    /// Takes the ring's records.
    pub fn events(&mut self) -> Vec<Vec<u8>> {
        symbols::EVENTS.drain()
    }

    /// Takes the records of the ring of TFTP.
    pub fn transfer_events(&mut self) -> Vec<Vec<u8>> {
        symbols::TRANSFER_EVENTS.drain()
    }

    /// The entry of this socket.
    pub fn conn(&self, cookie: u64) -> Option<Conn> {
        // SAFETY: a live element, and no program runs.
        symbols::CONNS
            .get_ptr_mut(cookie)
            .map(|conn| unsafe { *conn })
    }

    /// The transfer of this client.
    pub fn transfer(&self, peer: &Peer) -> Option<Transfer> {
        // SAFETY: a live element, and no program runs.
        symbols::TRANSFERS
            .get_ptr_mut(peer)
            .map(|transfer| unsafe { *transfer })
    }

    /// What was counted at this place (`observer_common::stats`).
    pub fn count(&self, slot: u32) -> u64 {
        symbols::STATS.get(slot).copied().unwrap_or(0)
    }

    /// How many entries there are: connections, early data, pipes.
    pub fn entries(&self) -> [usize; 3] {
        [
            symbols::CONNS.count(),
            symbols::PENDING.count(),
            symbols::PIPES.count(),
        ]
    }
}

/// No program runs any more.
fn settle() {
    symbols::CONNS.settle();
    symbols::PENDING.settle();
    symbols::PIPES.settle();
    symbols::TRANSFERS.settle();
}
