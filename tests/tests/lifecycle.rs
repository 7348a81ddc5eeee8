//! How connections begin, end and come back: each request counts once, nothing is lost, nothing
//! stays in flight.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};
use tests::{
    client::{self, Request, curl},
    netns::{Netns, link},
    nginx::Nginx,
    observer::Observer,
    process::run,
    require_root,
};

const GET: &[u8] = b"GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nHost: test\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
/// The head of an answer of which the body is to come.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
/// Nothing here takes long.
const PATIENCE: Duration = Duration::from_secs(20);

/// By status, or by reason.
type Counts = Vec<(String, f64)>;

fn observe(port: u16) -> Observer {
    Observer::start(&["--http-port", &port.to_string(), "--profile", "dragonfly"])
        .expect("observer")
}

/// A namespace and a listener in it.
fn listen(purpose: &str, port: u16) -> (Netns, TcpListener) {
    require_root();
    let netns = Netns::new(purpose).expect("netns");
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("listen");
    let listener = netns.inside(listen).expect("inside");
    (netns, listener)
}

/// Requests by status and what is lost; nothing may be in flight.
fn counted(observer: &Observer) -> (Counts, Counts) {
    let scrape = observer.scrape().expect("scrape");
    assert_eq!(scrape.sum("http_requests_in_flight", &[]), 0.0);
    let by_status = scrape
        .series("http_requests_total")
        .filter(|(_, count)| *count != 0.0)
        .map(|(labels, count)| (labels["status"].clone(), count));
    (by_status.collect(), scrape.lost())
}

/// So many, all with this status, and nothing lost.
fn only(status: &str, count: f64) -> (Counts, Counts) {
    (vec![(status.to_owned(), count)], vec![])
}

fn lost(reason: &str, count: f64) -> Counts {
    vec![(reason.to_owned(), count)]
}

/// Reads until a blank line and `body` more bytes.
fn read_message(stream: &mut TcpStream, body: usize) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("read");
        seen.extend_from_slice(&byte);
    }
    stream.read_exact(&mut vec![0; body]).expect("body");
}

/// Its close resets the connection.
fn reset(stream: TcpStream) {
    sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("linger");
    drop(stream);
}

/// Runs both sides, the server on a thread of its own.
fn both<'env, T: Send + 'env>(
    netns: &Netns,
    server: impl FnOnce() + Send + 'env,
    client: impl FnOnce() -> T + Send + 'env,
) -> T {
    thread::scope(|scope| {
        let server: ScopedJoinHandle<'_, ()> = scope.spawn(server);
        let kept = netns.inside(client).expect("inside");
        server.join().expect("server");
        kept
    })
}

/// A connection from this port, whatever became of the last one from it.
fn connect_from(port: u16, server: SocketAddrV4) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket");
    sockopt::set_socket_reuseaddr(&socket, true).expect("reuse");
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).expect("bind");
    connect(&socket, &server).expect("connect");
    TcpStream::from(socket)
}

fn sysctl(netns: &Netns, name: &str, value: &str) {
    let path = format!("/proc/sys/net/ipv4/{name}");
    let set = netns.inside(|| fs::write(&path, value));
    set.expect("inside").expect("sysctl");
}

#[test]
fn requests_on_one_connection_count_each() {
    const PORT: u16 = 18_181;
    let (netns, listener) = listen("keep", PORT);
    let observer = observe(PORT);
    let mut asked = connected(&netns, PORT);
    let mut server = listener.accept().expect("accept").0;
    for number in 1..=5 {
        exchange(&mut asked, &mut server);
        // The connection lives.
        assert_eq!(counted(&observer), only("200", f64::from(number)));
    }
    drop((asked, server));
    assert_eq!(counted(&observer), only("200", 5.0));
    observer.stop().expect("stop");
}

/// The same addresses and ports over and over, while the server's end waits out its time.
#[test]
fn a_tuple_that_comes_back_from_time_wait_is_another_connection() {
    const PORT: u16 = 18_182;
    let (netns, listener) = listen("tw", PORT);
    let observer = observe(PORT);
    let server = || {
        for _ in 0..5 {
            let (mut stream, _) = listener.accept().expect("accept");
            read_message(&mut stream, 0);
            stream.write_all(ANSWER).expect("answer");
        }
    };
    both(&netns, server, || {
        for _ in 0..5 {
            let mut stream = connect_from(40_001, SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT));
            stream.write_all(GET).expect("ask");
            // The server closes first.
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("read");
            assert_eq!(answer, ANSWER);
        }
    });
    assert_eq!(netns.netstat("TCPTimeWaitOverflow").expect("netstat"), 0);
    let sockets = netns
        .inside(|| fs::read_to_string("/proc/thread-self/net/tcp").expect("tcp"))
        .expect("inside");
    let time_wait = format!(":{PORT:04X} 0100007F:{:04X} 06 ", 40_001);
    assert!(sockets.contains(&time_wait), "{sockets}");
    assert_eq!(counted(&observer), only("200", 5.0));
    observer.stop().expect("stop");
}

/// The client breaks off before it is answered, and comes back from the same port at once.
#[test]
fn a_tuple_that_comes_back_after_a_reset_is_another_connection() {
    const PORT: u16 = 18_183;
    let (netns, listener) = listen("rst", PORT);
    let observer = observe(PORT);
    both(
        &netns,
        || {
            for _ in 0..5 {
                let (mut stream, _) = listener.accept().expect("accept");
                // What was reset before it was read may not be there to read.
                let _ = stream.read(&mut [0; 1]);
            }
        },
        || {
            for _ in 0..5 {
                let mut stream = connect_from(40_002, SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT));
                stream.write_all(GET).expect("ask");
                reset(stream);
            }
        },
    );
    assert_eq!(counted(&observer), only("none", 5.0));
    observer.stop().expect("stop");
}

/// The server's socket has let its port go when its reset leaves.
#[test]
fn a_server_that_resets_ends_the_request() {
    const PORT: u16 = 18_184;
    let (netns, listener) = listen("srst", PORT);
    let observer = observe(PORT);
    for (said, status) in [(&b""[..], "none"), (HEAD, "200")] {
        let server = || {
            let (mut stream, _) = listener.accept().expect("accept");
            read_message(&mut stream, 0);
            stream.write_all(said).expect("answer");
            reset(stream);
        };
        both(&netns, server, || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).expect("connect");
            stream.write_all(GET).expect("ask");
            let error = stream.read_to_end(&mut Vec::new()).expect_err("reset");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        });
        let (by_status, lost) = counted(&observer);
        assert!(
            by_status.contains(&(status.to_owned(), 1.0)),
            "{by_status:?}"
        );
        assert_eq!(lost, []);
    }
    let (by_status, _) = counted(&observer);
    assert_eq!(by_status.len(), 2, "{by_status:?}");
    observer.stop().expect("stop");
}

/// Sockets that are made from a cookie, with the handshake's last packet or by the request.
#[test]
fn requests_behind_syn_cookies_count_once() {
    const PORT: u16 = 18_185;
    const CLIENTS: u16 = 10;
    let (netns, listener) = listen("cookies", PORT);
    let observer = observe(PORT);
    sysctl(&netns, "tcp_syncookies", "2");
    let no_bare_acks = "add table ip t; add chain ip t in { type filter hook input priority 0; };
        add rule ip t in tcp dport 18185 tcp flags & (syn|ack|fin|rst|psh) == ack ip length < 60 drop";
    for round in 1..=2 {
        let server = || {
            for _ in 0..CLIENTS {
                let (mut stream, _) = listener.accept().expect("accept");
                read_message(&mut stream, 0);
                stream.write_all(ANSWER).expect("answer");
            }
        };
        both(&netns, server, || {
            for _ in 0..CLIENTS {
                let server = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
                let mut stream = client::ask(server, "/boot/52:54:00:ab:cd:ef").expect("ask");
                read_message(&mut stream, 5);
            }
        });
        let asked = u64::from(round * CLIENTS);
        assert_eq!(netns.netstat("SyncookiesRecv").expect("netstat"), asked);
        assert_eq!(counted(&observer), only("200", asked as f64));
        run(netns.command("nft").arg(no_bare_acks)).expect("nft");
    }
    observer.stop().expect("stop");
}

/// The request is in the SYN.
#[test]
fn a_request_in_a_fast_open_counts_once() {
    const PORT: u16 = 18_186;
    require_root();
    let netns = Netns::new("tfo").expect("netns");
    // Client and server, and every listener without asking it: before it begins to listen.
    sysctl(&netns, "tcp_fastopen", &(0x1 | 0x2 | 0x400).to_string());
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).expect("listen");
    let listener = netns.inside(listen).expect("inside");
    let observer = observe(PORT);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            for _ in 0..5 {
                let (mut stream, _) = listener.accept().expect("accept");
                read_message(&mut stream, 0);
                stream.write_all(ANSWER).expect("answer");
            }
        });
        for _ in 0..5 {
            let url = format!("http://127.0.0.1:{PORT}/boot/52:54:00:ab:cd:ef");
            let answer = run(netns.command("curl").args(["-sS", "--tcp-fastopen", &url]));
            assert_eq!(answer.expect("curl"), "hello");
        }
        server.join().expect("server");
    });
    // The first client gets the cookie that the others come with.
    assert_eq!(netns.netstat("TCPFastOpenPassive").expect("netstat"), 4);
    assert_eq!(counted(&observer), only("200", 5.0));
    observer.stop().expect("stop");
}

/// The socket's family is IPv6, its packets are IPv4.
#[test]
fn ipv4_clients_of_an_ipv6_listener_count() {
    const PORT: u16 = 18_187;
    require_root();
    let netns = Netns::new("mapped").expect("netns");
    let listen = || TcpListener::bind((Ipv6Addr::UNSPECIFIED, PORT)).expect("listen");
    let listener = netns.inside(listen).expect("inside");
    let observer = observe(PORT);
    let server = || {
        for _ in 0..3 {
            let (mut stream, client) = listener.accept().expect("accept");
            assert!(client.ip().to_canonical().is_ipv4(), "{client}");
            read_message(&mut stream, 0);
            stream.write_all(ANSWER).expect("answer");
        }
    };
    both(&netns, server, || {
        for _ in 0..3 {
            let server = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
            let mut stream = client::ask(server, "/boot/52:54:00:ab:cd:ef").expect("ask");
            read_message(&mut stream, 5);
        }
    });
    assert_eq!(counted(&observer), only("200", 3.0));
    observer.stop().expect("stop");
}

/// A client's and a server's container, and the bridge between them in a third namespace of this
/// host: what is forwarded is no socket's.
#[test]
fn traffic_over_a_bridge_counts_once() {
    const PORT: u16 = 18_188;
    require_root();
    let made = |name| Netns::new(name).expect("netns");
    let (client, server, bridge) = (made("cli"), made("srv"), made("br"));
    link(&client, &bridge, 5).expect("link");
    link(&server, &bridge, 6).expect("link");
    bridge
        .ip(&["link", "add", "br0", "type", "bridge"])
        .expect("a bridge");
    for device in ["f5", "f6"] {
        bridge
            .ip(&["link", "set", device, "master", "br0"])
            .expect("a port");
    }
    bridge.ip(&["link", "set", "br0", "up"]).expect("up");
    server
        .ip(&["addr", "add", "10.44.5.9/24", "dev", "n6"])
        .expect("an address");
    let nginx = Nginx::start(&server, PORT, &[("/boot/ipxe.efi", 300_000)]).expect("nginx");
    let observer = observe(PORT);
    let requests = [Request::from(("GET", "/boot/ipxe.efi")); 20];
    let address = IpAddr::from([10, 44, 5, 9]);
    for close in [false, true] {
        curl(&client, address, PORT, &requests, close).expect("curl");
    }
    assert_eq!(counted(&observer), only("200", 40.0));
    assert_eq!(nginx.stop().expect("log").len(), 40);
    observer.stop().expect("stop");
}

/// Connections from before the observer.
#[test]
fn a_resting_connection_is_picked_up_at_its_next_request() {
    const PORT: u16 = 18_189;
    let (netns, listener) = listen("rest", PORT);
    let (asked, mut server) = (
        connected(&netns, PORT),
        listener.accept().expect("accept").0,
    );
    let mut asked = asked;
    exchange(&mut asked, &mut server);
    let observer = observe(PORT);
    assert_eq!(counted(&observer), (vec![], vec![]));
    for number in 1..=2 {
        exchange(&mut asked, &mut server);
        assert_eq!(counted(&observer), only("200", f64::from(number)));
    }
    drop((asked, server));
    assert_eq!(counted(&observer), only("200", 2.0));
    observer.stop().expect("stop");
}

/// Its head came before us: what it asks for is not guessed.
#[test]
fn an_upload_under_way_is_joined_midway() {
    const PORT: u16 = 18_190;
    let (netns, listener) = listen("up", PORT);
    let (mut asked, mut server) = (
        connected(&netns, PORT),
        listener.accept().expect("accept").0,
    );
    asked
        .write_all(b"POST /api/x HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbo")
        .expect("half a request");
    read_message(&mut server, 2);
    let observer = observe(PORT);
    asked.write_all(b"dy").expect("the other half");
    server.read_exact(&mut [0; 2]).expect("body");
    server.write_all(ANSWER).expect("answer");
    read_message(&mut asked, 5);
    assert_eq!(counted(&observer), (vec![], lost("joined_midway", 1.0)));
    exchange(&mut asked, &mut server);
    let (by_status, lost_since) = counted(&observer);
    assert_eq!(by_status, [("200".to_owned(), 1.0)]);
    assert_eq!(lost_since, lost("joined_midway", 1.0));
    observer.stop().expect("stop");
}

/// All of the request came before us, and of its answer some.
#[test]
fn a_download_under_way_is_joined_midway() {
    const PORT: u16 = 18_191;
    let (netns, listener) = listen("down", PORT);
    let (mut asked, mut server) = (
        connected(&netns, PORT),
        listener.accept().expect("accept").0,
    );
    asked.write_all(GET).expect("ask");
    read_message(&mut server, 0);
    server.write_all(HEAD).expect("head");
    read_message(&mut asked, 0);
    let observer = observe(PORT);
    for part in [&b"he"[..], b"llo"] {
        server.write_all(part).expect("body");
        asked.read_exact(&mut vec![0; part.len()]).expect("body");
    }
    assert_eq!(counted(&observer), (vec![], lost("joined_midway", 1.0)));
    exchange(&mut asked, &mut server);
    let (by_status, lost_since) = counted(&observer);
    assert_eq!(by_status, [("200".to_owned(), 1.0)]);
    assert_eq!(lost_since, lost("joined_midway", 1.0));
    observer.stop().expect("stop");
}

fn connected(netns: &Netns, port: u16) -> TcpStream {
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
    let stream = netns.inside(connect).expect("inside");
    stream.set_read_timeout(Some(PATIENCE)).expect("patience");
    stream
}

fn exchange(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(GET).expect("ask");
    read_message(server, 0);
    server.write_all(ANSWER).expect("answer");
    read_message(client, 5);
}
