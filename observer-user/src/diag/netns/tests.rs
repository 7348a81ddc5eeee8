use std::{
    net::{TcpListener, TcpStream, UdpSocket as Udp},
    time::Duration,
};

use super::*;

/// One that stands for another.
fn other() -> Other {
    Other {
        place: Place::own().expect("netlink sockets"),
        said: Said::default(),
        used: false,
    }
}

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
        let found = namespaces.listeners(&wanted).0.expect("listeners");
        let found: BTreeSet<u16> = found.iter().map(|listener| listener.port).collect();
        assert_eq!(found, wanted);
    }
    namespaces.tidy_up();
    let found = namespaces
        .udp(&BTreeSet::from([udp.0, 1]))
        .0
        .expect("sockets");
    let found: Vec<u16> = found.iter().map(|socket| socket.port).collect();
    assert_eq!(found, [udp.0]);
}

/// Our own stands for another.
#[test]
fn a_namespace_where_nothing_is_left_is_closed_and_another_searched_for() {
    let start = Instant::now();
    let seconds = Duration::from_secs;
    let mut namespaces = Namespaces::new(start);
    let mut searches = |second| namespaces.pace.is_due(0, start + seconds(second));
    assert!((0..100).filter(|second| searches(*second)).count() < 10);
    namespaces.others.insert(1, other());
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("bound").port();
    let found = |namespaces: &mut Namespaces| {
        let found = namespaces.listeners(&BTreeSet::from([port]));
        namespaces
            .udp(&BTreeSet::new())
            .1
            .expect("nothing is asked");
        namespaces.tidy_up();
        (found.0.expect("listeners").len(), namespaces.others.len())
    };
    assert_eq!(found(&mut namespaces), (2, 1));
    assert!(!namespaces.pace.is_due(0, start + seconds(100)));
    drop(listener);
    assert_eq!(found(&mut namespaces), (0, 0));
    assert!(namespaces.pace.is_due(0, start + seconds(100)));
}

#[test]
fn what_fails_is_for_once_what_it_said_last_and_the_others_are_asked() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = BTreeSet::from([tcp.local_addr().expect("bound").port()]);
    let mut namespaces = Namespaces::new(Instant::now());
    let one = namespaces.listeners(&port).0.expect("listeners");
    namespaces.own_said = Said::default();
    namespaces.others.insert(1, other());
    // Which of the two fails; how many listeners are known, how many others are open then.
    for (fails, known, open) in [
        ([true, false], None, 1),
        ([false, false], Some(2), 1),
        ([true, false], Some(2), 1),
        ([true, false], None, 1),
        ([false, true], Some(2), 0),
    ] {
        let mut turns = fails.into_iter();
        let ask = |_: &mut Place| match turns.next() {
            Some(true) => Err(io::ErrorKind::TimedOut.into()),
            Some(false) | None => Ok(one.clone()),
        };
        let settle = |said: &mut Said, asked: &_| or_last(&mut said.listeners, asked);
        let (found, result) = namespaces.each(ask, settle);
        assert_eq!(found.map(|found| found.len()), known, "{fails:?}");
        assert_eq!(result.is_err(), fails.contains(&true), "{fails:?}");
        assert_eq!(namespaces.others.len(), open, "{fails:?}");
    }
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
            ..Wanted::default()
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
    let client = TcpStream::connect(("127.0.0.1", tcp_port)).expect("connect");
    let client = client.local_addr().expect("bound").port();
    assert_eq!(serves(client, 1), Some(false));
    drop(tcp);
    assert_eq!(serves(tcp_port, 1), Some(false));
}
