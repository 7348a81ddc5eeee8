//! What the kernel says of sockets, and of which it is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use observer_common::conn::Tuple;

use super::{
    links::{Ends, Interface},
    processes::{Process, Serves},
};

/// A TCP socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its port.
    pub port: u16,
    /// Connections that wait to be accepted (`sk_ack_backlog`).
    pub queue: u32,
    /// It is full when more than so many wait (`sk_max_ack_backlog`): what `listen` was given,
    /// `net.core.somaxconn` at most.
    pub limit: u32,
    /// Connections that it did not take since it listens (`sk_drops`): on a full queue this is its
    /// share of `ListenOverflows`. It wraps.
    pub drops: u32,
    /// Its own number: no other socket has had or will have it.
    pub cookie: u64,
    /// By which a descriptor of a process names it.
    pub inode: u64,
}

/// A UDP socket that takes datagrams from anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpSocket {
    /// Its port.
    pub port: u16,
    /// Memory of the datagrams that wait to be read, each with its overhead, as the kernel counts
    /// it against `SO_RCVBUF` (`udp_rqueue_get`).
    pub queue_bytes: u32,
    /// Datagrams that it did not take (`sk_drops`). It wraps.
    pub drops: u32,
    /// Its own number: no other socket has had or will have it.
    pub cookie: u64,
    /// By which a descriptor of a process names it.
    pub inode: u64,
}

/// How a connection sends (`struct tcp_info`, net/ipv4/tcp.c `tcp_get_info`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpState {
    /// Time with something to send or unacknowledged, the next two included; whole jiffies, as
    /// they are.
    pub busy: Duration,
    /// Of this the time that the receiver's window held it up.
    pub rwnd_limited: Duration,
    /// Of this the time that the sender's own buffer (`SO_SNDBUF`) held it up.
    pub sndbuf_limited: Duration,
    /// Segments that were sent again, since it began.
    pub total_retrans: u32,
}

/// A connection's cookie, an instant (`CLOCK_MONOTONIC` nanoseconds), and how it sent then.
pub type Sending = (u64, u64, TcpState);

/// Whose sockets are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// TCP ports.
    pub tcp: BTreeSet<u16>,
    /// UDP ports.
    pub udp: BTreeSet<u16>,
    /// How many of them have been served: with one more it is time to look for namespaces.
    pub served: usize,
    /// Connections that are to say how they send: cookies, and ends.
    pub connections: Vec<(u64, Tuple)>,
    /// What leads to the interfaces that carry boot traffic.
    pub ends: Ends,
    /// Processes that took requests up.
    pub processes: BTreeSet<u32>,
}

/// What was found, of all that were asked for, in every namespace that can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// What was asked.
    pub wanted: Wanted,
    /// Their TCP sockets that listen; `None` if they could not be read.
    pub listeners: Option<Vec<Listener>>,
    /// Their UDP sockets; `None` if they could not be read.
    pub udp: Option<Vec<UdpSocket>>,
    /// How connections send; nothing of those that are over or not found.
    pub sending: Vec<Sending>,
    /// The interfaces that carry boot traffic, as far as they could be read.
    pub links: Vec<Interface>,
    /// Network namespaces that have such sockets and cannot be entered.
    pub unreachable: usize,
    /// The processes that hold those sockets.
    pub owners: BTreeMap<Serves, BTreeSet<u32>>,
    /// What they do, and those that were asked for; nothing of those that are gone.
    pub processes: Vec<Process>,
}
