//! What was tried and could not be done, counted wherever it happens.

use std::{
    iter::zip,
    sync::atomic::{AtomicU64, Ordering},
};

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Taking a connection to our own port: out of descriptors, as a rule.
    Accept,
    /// Encoding the metrics.
    Encode,
    /// Reading an entry of the kernel side's tables.
    Maps,
    /// Reading of ourselves in procfs.
    Process,
    /// Reading servers' listening sockets.
    ListenQueues,
    /// Reading servers' UDP sockets.
    UdpQueues,
    /// Reading how connections send.
    TcpInfo,
    /// Reading the interfaces that carry boot traffic.
    Links,
    /// Searching for the network namespaces of servers.
    Namespaces,
    /// Searching for the processes of servers.
    Owners,
}

impl Failure {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Accept,
        Self::Encode,
        Self::Maps,
        Self::Process,
        Self::ListenQueues,
        Self::UdpQueues,
        Self::TcpInfo,
        Self::Links,
        Self::Namespaces,
        Self::Owners,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Encode => "encode",
            Self::Maps => "maps",
            Self::Process => "process",
            Self::ListenQueues => "listen_queues",
            Self::UdpQueues => "udp_queues",
            Self::TcpInfo => "tcp_info",
            Self::Links => "links",
            Self::Namespaces => "namespaces",
            Self::Owners => "owners",
        }
    }
}

/// Totals.
#[derive(Debug, Default)]
pub struct Errors([AtomicU64; Failure::ALL.len()]);

impl Errors {
    /// It happened once more.
    pub fn count(&self, failure: Failure) {
        for (known, total) in zip(Failure::ALL, &self.0) {
            if known == failure {
                total.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How often each has happened.
    pub fn totals(&self) -> impl Iterator<Item = (Failure, u64)> {
        zip(Failure::ALL, &self.0).map(|(failure, total)| (failure, total.load(Ordering::Relaxed)))
    }
}
