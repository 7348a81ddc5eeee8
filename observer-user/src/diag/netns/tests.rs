use std::net::{TcpListener, UdpSocket as Udp};

use super::*;

/// Of this namespace: others are for those who may enter them.
#[test]
fn our_own_namespace_is_always_asked() {
    let mut namespaces = Namespaces::new(Instant::now());
    let tcp = TcpListener::bind("127.0.0.1:0").expect("listen");
    let other = TcpListener::bind("127.0.0.1:0").expect("listen");
    let udp = Udp::bind("127.0.0.1:0").expect("bind");
    let port = |address: io::Result<std::net::SocketAddr>| address.expect("bound").port();
    let [tcp, other] = [tcp, other].map(|socket| (port(socket.local_addr()), socket));
    let udp = (port(udp.local_addr()), udp);
    for wanted in [vec![tcp.0], vec![tcp.0, other.0], vec![]] {
        let wanted: BTreeSet<u16> = wanted.into_iter().collect();
        let found = namespaces.listeners(&wanted).expect("listeners");
        let found: BTreeSet<u16> = found.iter().map(|listener| listener.port).collect();
        assert_eq!(found, wanted);
    }
    namespaces.tidy_up();
    let found = namespaces
        .udp(&BTreeSet::from([udp.0, 1]))
        .expect("sockets");
    let found: Vec<u16> = found.iter().map(|socket| socket.port).collect();
    assert_eq!(found, [udp.0]);
}

#[test]
fn a_namespace_serves_what_listens_there() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("listen");
    let udp = Udp::bind("[::1]:0").expect("bind");
    let myself = Process::myself().expect("procfs");
    let tcp_port = tcp.local_addr().expect("bound").port();
    let udp_port = udp.local_addr().expect("bound").port();
    let serves = |tcp: u16, udp: u16| {
        let wanted = Wanted {
            tcp: BTreeSet::from([tcp]),
            udp: BTreeSet::from([udp]),
            served: 0,
        };
        serves(&myself, &wanted)
    };
    for (tcp, udp, found) in [
        (tcp_port, 1, true),
        (1, udp_port, true),
        (udp_port, tcp_port, false),
    ] {
        assert_eq!(serves(tcp, udp), Some(found), "{tcp} {udp}");
    }
    // A client of it is no server.
    udp.connect(("::1", 1)).expect("connect");
    assert_eq!(serves(1, udp_port), Some(false));
    drop(tcp);
    assert_eq!(serves(tcp_port, 1), Some(false));
}
