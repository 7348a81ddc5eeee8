//! The TCP ports that are listened on in this network namespace.

use std::{collections::BTreeSet, net::IpAddr};

use anyhow::{Context as _, Result};
use procfs::net::{TcpNetEntry, TcpState, tcp, tcp6};

/// Ports with a listener that is not bound to loopback only, ascending.
pub fn listening_ports() -> Result<Vec<u16>> {
    let mut sockets = tcp().context("read /proc/net/tcp")?;
    // Absent where IPv6 is off.
    sockets.extend(tcp6().unwrap_or_default());
    let ports: BTreeSet<u16> = sockets
        .iter()
        .filter(|socket| is_open(socket))
        .map(|socket| socket.local_address.port())
        .collect();
    Ok(ports.into_iter().collect())
}

fn is_open(socket: &TcpNetEntry) -> bool {
    socket.state == TcpState::Listen && !is_loopback(socket.local_address.ip())
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn loopback_listeners_are_left_out() {
        let open = TcpListener::bind("0.0.0.0:0").expect("bind");
        let local = TcpListener::bind("127.0.0.1:0").expect("bind");
        let ports = listening_ports().expect("procfs");
        assert!(ports.contains(&open.local_addr().expect("bound").port()));
        assert!(!ports.contains(&local.local_addr().expect("bound").port()));
    }
}
