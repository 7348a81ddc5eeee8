//! Binds where to serve.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use anyhow::{Context as _, Result};
use socket2::{Domain, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Binds what was asked for, or this port on all addresses of both families. `[::]` stands for
/// both families, whatever `net.ipv6.bindv6only` says, but where `0.0.0.0` has the port already.
pub fn bind(asked: &[SocketAddr], port: u16) -> Result<Vec<TcpListener>> {
    if !asked.is_empty() {
        let one = |address: &SocketAddr| named(*address, listen(*address, has_v4(asked, *address)));
        return asked.iter().map(one).collect();
    }
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = match listen(both, false) {
        Err(error) if error.kind() != ErrorKind::AddrInUse => {
            // IPv6 is off.
            let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            named(v4, listen(v4, false))
        }
        bound => named(both, bound),
    };
    Ok(vec![listener?])
}

/// True if somebody else takes IPv4's part of this port.
fn has_v4(asked: &[SocketAddr], address: SocketAddr) -> bool {
    let same = |other: &&SocketAddr| other.is_ipv4() && other.port() == address.port();
    address.port() != 0 && asked.iter().any(|other| same(&other))
}

fn listen(address: SocketAddr, only_v6: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6 || address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
    }
    // A restart need not wait for connections of before to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn named(address: SocketAddr, bound: std::io::Result<TcpListener>) -> Result<TcpListener> {
    match bound {
        Err(error) if error.kind() == ErrorKind::AddrInUse => anyhow::bail!(
            "{address} is in use by another process: stop it, or choose another address with --web.listen-address"
        ),
        bound => bound.with_context(|| format!("listen on {address}")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    /// A port that is free in both families.
    fn free() -> u16 {
        let both = bind(&[], 0).expect("bind");
        both[0].local_addr().expect("bound").port()
    }

    fn reached(addresses: &[&str], port: u16) -> Vec<bool> {
        let connect = |address: &&str| {
            let address: IpAddr = address.parse().expect("an address");
            TcpStream::connect((address, port)).is_ok()
        };
        addresses.iter().map(connect).collect()
    }

    #[test]
    fn all_addresses_are_those_of_both_families() {
        let port = free();
        for asked in [
            vec![],
            vec![format!("[::]:{port}")],
            vec![format!("[::]:{port}"), format!("0.0.0.0:{port}")],
            vec![format!("127.0.0.1:{port}"), format!("[::1]:{port}")],
        ] {
            let addresses: Vec<SocketAddr> = asked
                .iter()
                .map(|address| address.parse().expect("an address"))
                .collect();
            let listeners = bind(&addresses, port).expect("bind");
            assert_eq!(listeners.len(), asked.len().max(1));
            assert_eq!(
                reached(&["127.0.0.1", "::1"], port),
                [true, true],
                "{asked:?}"
            );
        }
    }

    #[test]
    fn one_family_is_asked_for_by_its_address() {
        let port = free();
        for (asked, expected) in [("0.0.0.0", [true, false]), ("::1", [false, true])] {
            let address: IpAddr = asked.parse().expect("an address");
            let _listeners = bind(&[(address, port).into()], port).expect("bind");
            assert_eq!(reached(&["127.0.0.1", "::1"], port), expected, "{asked}");
        }
    }

    #[test]
    fn a_taken_port_is_named() {
        let holder = TcpListener::bind("127.0.0.1:0").expect("bind");
        let taken = holder.local_addr().expect("bound");
        for asked in [vec![taken], vec![]] {
            let refused = bind(&asked, taken.port())
                .expect_err("it is taken")
                .to_string();
            let port = format!(":{} is in use", taken.port());
            assert!(refused.contains(&port), "{refused}");
        }
    }
}
