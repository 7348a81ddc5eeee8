//! What the kernel says of sockets, asked of one network namespace (`sock_diag`,
//! net/ipv4/inet_diag.c, tcp_diag.c, udp_diag.c).
//!
//! Each question is filtered in the kernel, by state or port, or is for one socket: none lists the
//! connections of a busy server.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SockDiagMessage,
    inet::{
        ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
        nlas::{MemInfo, Nla, TcpInfo},
    },
};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use observer_common::conn::Tuple;
use rustix::io::Errno;

use super::wire::Wire;
use crate::model::sockets::{Listener, TcpState, UdpSocket};

/// Where sockets are asked for: in the network namespace of the thread that opened it, wherever it
/// is used then. It keeps that namespace alive.
pub struct SockDiag(Wire<SockDiagMessage>);

impl SockDiag {
    /// Of this thread's namespace.
    pub fn open() -> io::Result<Self> {
        Wire::open(NETLINK_SOCK_DIAG).map(Self)
    }

    /// TCP sockets that listen, on this port or on any. What is connected is not looked at.
    pub fn listeners(&mut self, port: Option<u16>) -> io::Result<Vec<Listener>> {
        let filter = Filter {
            protocol: IPPROTO_TCP,
            states: StateFlags::LISTEN,
            port,
        };
        self.dump(&filter, listener)
    }

    /// UDP sockets that are bound to this port and not connected. The kernel walks all UDP sockets
    /// of the namespace.
    pub fn udp(&mut self, port: u16) -> io::Result<Vec<UdpSocket>> {
        let filter = Filter {
            protocol: IPPROTO_UDP,
            // What is not connected.
            states: StateFlags::CLOSE,
            port: Some(port),
        };
        self.dump(&filter, udp_socket)
    }

    /// How the connection with these ends and this cookie sends; `None` if it is over or not of
    /// this namespace. One hash lookup, and the socket's lock for a moment. A connection that is
    /// bound to a device (VRF, link-local addresses) is not found.
    pub fn tcp_info(&mut self, ends: &Tuple, cookie: u64) -> io::Result<Option<TcpState>> {
        match self
            .0
            .one(SockDiagMessage::InetRequest(exactly(ends, cookie)))
        {
            Ok(SockDiagMessage::InetResponse(response)) => Ok(tcp_state(&response)),
            Ok(SockDiagMessage::InetRequest(_) | _) => Ok(None),
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn dump<T>(
        &mut self,
        filter: &Filter,
        read: fn(&InetResponse) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut found = Vec::new();
        // There is no question for both.
        for family in [AF_INET, AF_INET6] {
            let request = SockDiagMessage::InetRequest(filter.request(family));
            self.0.all(request, |answer| {
                if let SockDiagMessage::InetResponse(response) = answer {
                    found.extend(read(&response));
                }
            })?;
        }
        Ok(found)
    }
}

/// What a dump is to be about.
struct Filter {
    protocol: u8,
    states: StateFlags,
    port: Option<u16>,
}

impl Filter {
    fn request(&self, family: u8) -> InetRequest {
        InetRequest {
            family,
            protocol: self.protocol,
            extensions: ExtensionFlags::SKMEMINFO,
            states: self.states.clone(),
            socket_id: SocketId {
                source_port: self.port.unwrap_or(0),
                ..SocketId::new_v6()
            },
        }
    }
}

/// One connection. The kernel takes v4-mapped addresses of an IPv6 question for IPv4, and then
/// finds sockets of either family (`inet_diag_find_one_icsk`).
fn exactly(ends: &Tuple, cookie: u64) -> InetRequest {
    InetRequest {
        family: AF_INET6,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: ends.server_port,
            destination_port: ends.client_port,
            source_address: IpAddr::V6(Ipv6Addr::from(ends.server)),
            destination_address: IpAddr::V6(Ipv6Addr::from(ends.client)),
            interface_id: 0,
            cookie: split(cookie),
        },
    }
}

fn listener(response: &InetResponse) -> Option<Listener> {
    let header = &response.header;
    Some(Listener {
        port: header.socket_id.source_port,
        queue: header.recv_queue,
        limit: header.send_queue,
        drops: memory(response)?.drops,
        cookie: join(header.socket_id.cookie),
        inode: header.inode.into(),
    })
}

fn udp_socket(response: &InetResponse) -> Option<UdpSocket> {
    let header = &response.header;
    Some(UdpSocket {
        port: header.socket_id.source_port,
        queue_bytes: header.recv_queue,
        drops: memory(response)?.drops,
        cookie: join(header.socket_id.cookie),
        inode: header.inode.into(),
    })
}

fn memory(response: &InetResponse) -> Option<&MemInfo> {
    response.nlas.iter().find_map(|nla| {
        let Nla::MemInfo(memory) = nla else {
            return None;
        };
        Some(memory)
    })
}

/// Nothing of a socket that has none any more (TIME_WAIT) or not yet (SYN_RECV).
fn tcp_state(response: &InetResponse) -> Option<TcpState> {
    response.nlas.iter().find_map(|nla| {
        let Nla::TcpInfo(info) = nla else { return None };
        Some(TcpState::from(info))
    })
}

impl From<&TcpInfo> for TcpState {
    fn from(info: &TcpInfo) -> Self {
        Self {
            busy: Duration::from_micros(info.busy_time),
            rwnd_limited: Duration::from_micros(info.rwnd_limited),
            sndbuf_limited: Duration::from_micros(info.sndbuf_limited),
            total_retrans: info.total_retrans,
        }
    }
}

/// A cookie is two words on the wire, the low one first, each as the processor has it
/// (`sock_diag_save_cookie`).
fn split(cookie: u64) -> [u8; 8] {
    let [a, b, c, d] = word(cookie);
    let [e, f, g, h] = word(cookie >> 32);
    [a, b, c, d, e, f, g, h]
}

fn word(low: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = low.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).to_ne_bytes()
}

fn join([a, b, c, d, e, f, g, h]: [u8; 8]) -> u64 {
    let [low, high] = [[a, b, c, d], [e, f, g, h]].map(u32::from_ne_bytes);
    u64::from(high) << 32 | u64::from(low)
}

#[cfg(test)]
mod tests;
