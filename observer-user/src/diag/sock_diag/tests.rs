//! Against the kernel: sockets of this process, and what is said of them.

use std::{
    io::Write as _,
    net::{
        IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket as Udp,
    },
    thread,
};

use rustix::net::sockopt::{set_socket_recv_buffer_size, socket_cookie};
use socket2::{Domain, Socket, Type};

use super::*;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

fn diag() -> SockDiag {
    SockDiag::open().expect("a netlink socket")
}

/// A listener whose queue is full with `backlog` and one more, which shares its port.
fn listen(address: SocketAddr, backlog: i32) -> (TcpListener, u16) {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket.set_reuse_port(true).expect("shared");
    socket.bind(&address.into()).expect("bind");
    socket.listen(backlog).expect("listen");
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// A connection that is begun, and may not get further.
fn begin(port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_nonblocking(true).expect("nonblocking");
    let refused = socket.connect(&SocketAddr::from((V4, port)).into());
    assert_eq!(
        refused.expect_err("under way").raw_os_error(),
        Some(Errno::INPROGRESS.raw_os_error())
    );
    socket
}

fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// As the kernel side has it, of the server's end.
fn ends(server: &TcpStream) -> Tuple {
    let (local, peer) = (server.local_addr(), server.peer_addr());
    let (local, peer) = (local.expect("local"), peer.expect("peer"));
    Tuple {
        client: mapped(peer.ip()),
        server: mapped(local.ip()),
        client_port: peer.port(),
        server_port: local.port(),
    }
}

fn connected(listen_at: IpAddr, connect_to: IpAddr) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((listen_at, 0)).expect("bind");
    let port = listener.local_addr().expect("bound").port();
    let client = TcpStream::connect((connect_to, port)).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (client, server)
}

#[test]
fn a_listener_says_who_waits_and_whom_it_did_not_take() {
    let (listener, port) = listen((V4, 0).into(), 1);
    let mut diag = diag();
    let mut only = || {
        let listeners = diag.listeners(Some(port)).expect("listeners");
        assert_eq!(listeners.len(), 1, "{listeners:?}");
        listeners[0]
    };
    let cookie = socket_cookie(&listener).expect("a cookie");
    let empty = Listener {
        port,
        queue: 0,
        limit: 1,
        drops: 0,
        cookie,
        inode: only().inode,
    };
    assert_eq!(only(), empty);
    assert_ne!(empty.inode, 0);
    let waiting = [begin(port), begin(port)];
    assert_eq!(only(), Listener { queue: 2, ..empty });
    // Its first SYN finds the queue full, at once over loopback.
    let _dropped = begin(port);
    assert_eq!(
        only(),
        Listener {
            queue: 2,
            drops: 1,
            ..empty
        }
    );
    drop(listener.accept().expect("accept"));
    assert_eq!(only().queue, 1);
    drop((waiting, listener));
    assert_eq!(diag.listeners(Some(port)).expect("listeners"), []);
}

#[test]
fn who_shares_a_port_is_told_each_and_connections_are_not() {
    let (one, port) = listen((V4, 0).into(), 7);
    let (two, _) = listen((V4, port).into(), 8);
    let (six, _) = listen((V6, port).into(), 9);
    let (_other, other_port) = listen((V4, 0).into(), 9);
    let _connected = TcpStream::connect((V4, port)).expect("connect");
    let mut diag = diag();
    let mut told = diag.listeners(Some(port)).expect("listeners");
    told.sort_by_key(|listener| listener.limit);
    let limits: Vec<u32> = told.iter().map(|listener| listener.limit).collect();
    assert_eq!(limits, [7, 8, 9]);
    for (listener, socket) in told.iter().zip([&one, &two, &six]) {
        assert_eq!(listener.cookie, socket_cookie(socket).expect("a cookie"));
    }
    let all = diag.listeners(None).expect("listeners");
    let of = |port| all.iter().filter(move |listener| listener.port == port);
    assert_eq!((of(port).count(), of(other_port).count()), (3, 1));
}

#[test]
fn datagrams_that_wait_are_told_and_those_that_found_no_room() {
    let server = Udp::bind((V4, 0)).expect("bind");
    set_socket_recv_buffer_size(&server, 0).expect("small");
    let port = server.local_addr().expect("bound").port();
    let client = Udp::bind((V4, 0)).expect("bind");
    client.connect((V4, port)).expect("connect");
    let mut diag = diag();
    let mut only = || {
        let sockets = diag.udp(port).expect("sockets");
        assert_eq!(sockets.len(), 1, "{sockets:?}");
        sockets[0]
    };
    let cookie = socket_cookie(&server).expect("a cookie");
    assert_eq!(
        only(),
        UdpSocket {
            port,
            queue_bytes: 0,
            drops: 0,
            cookie,
            inode: only().inode,
        }
    );
    client.send(&[0; 100]).expect("send");
    let one = only();
    assert!(one.queue_bytes >= 100 && one.drops == 0, "{one:?}");
    for _ in 0..99 {
        client.send(&[0; 100]).expect("send");
    }
    let full = only();
    assert!(full.queue_bytes >= one.queue_bytes, "{full:?}");
    server.set_nonblocking(true).expect("nonblocking");
    let read = std::iter::from_fn(|| server.recv(&mut [0; 100]).ok()).count();
    assert_eq!(full.drops as usize, 100 - read);
    assert!(full.drops > 0 && only().queue_bytes == 0);
    // It takes datagrams from one only: nobody else's wait there.
    assert_eq!(
        diag.udp(client.local_addr().expect("bound").port())
            .expect("sockets"),
        []
    );
}

#[test]
fn a_connection_is_found_by_its_ends_and_cookie_whatever_its_family() {
    let mut diag = diag();
    for (listen_at, connect_to) in [(V4, V4), (ANY_V6, V4), (V6, V6), (ANY_V6, V6)] {
        let (mut client, mut server) = connected(listen_at, connect_to);
        client.write_all(b"x").expect("write");
        server.write_all(b"x").expect("write");
        let (ends, cookie) = (ends(&server), socket_cookie(&server).expect("a cookie"));
        let mut ask = |ends: &Tuple, cookie| diag.tcp_info(ends, cookie).expect("an answer");
        let state = ask(&ends, cookie);
        let state = state.unwrap_or_else(|| panic!("{listen_at} {connect_to}"));
        assert_eq!(state.total_retrans, 0);
        // A socket of the same ends, but not the same; the client's; no such ends.
        assert_eq!(ask(&ends, cookie + 1), None);
        assert_eq!(ask(&ends, cookie ^ 1 << 33), None);
        let client_port = ends.client_port ^ 1;
        assert_eq!(
            ask(
                &Tuple {
                    client_port,
                    ..ends
                },
                cookie
            ),
            None
        );
        drop(server);
        drop(client);
        assert_eq!(ask(&ends, cookie), None);
    }
}

/// A client that stops reading: its window is what holds the server up.
#[test]
fn a_connection_says_who_holds_it_up() {
    let (client, server) = connected(V4, V4);
    let (ends, cookie) = (ends(&server), socket_cookie(&server).expect("a cookie"));
    server.set_nonblocking(true).expect("nonblocking");
    let mut diag = diag();
    let mut ask = || {
        diag.tcp_info(&ends, cookie)
            .expect("an answer")
            .expect("it lives")
    };
    while (&server).write(&[0; 1 << 16]).is_ok() {}
    // Time passes in jiffies, of 10 ms at most.
    let begun = ask();
    thread::sleep(Duration::from_millis(50));
    let later = ask();
    let held = later.rwnd_limited - begun.rwnd_limited;
    assert!(held >= Duration::from_millis(40), "{begun:?} {later:?}");
    assert_eq!(later.busy - begun.busy, held);
    assert_eq!(later.sndbuf_limited, begun.sndbuf_limited);
    client.shutdown(Shutdown::Both).expect("shut down");
}

#[test]
fn a_cookie_is_itself_again() {
    let cookie = 0x0123_4567_89ab_cdef;
    assert_eq!(join(split(cookie)), cookie);
    assert_eq!(split(1 << 32)[..4], [0; 4]);
}
