//! What loses requests in simpler observers: segments beyond 64 KiB, segments that overtake
//! others, requests that come before their socket.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};

use tests::{client, netns::Netns, nginx::Nginx, observer::Observer, process::run, require_root};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn observe(port: u16) -> Observer {
    Observer::start(&["--http-port", &port.to_string(), "--profile", "dragonfly"])
        .expect("observer")
}

/// A namespace, a listener in it, and somebody who watches.
fn stage(purpose: &str, port: u16) -> (Netns, TcpListener, Observer) {
    let netns = Netns::new(purpose).expect("netns");
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("listen");
    let listener = netns.inside(listen).expect("inside");
    (netns, listener, observe(port))
}

fn total(observer: &Observer) -> (f64, f64, Vec<(String, f64)>) {
    let scrape = observer.scrape().expect("scrape");
    (
        scrape.sum("http_requests_total", &[]),
        scrape.sum("http_requests_in_flight", &[]),
        scrape.lost(),
    )
}

/// Reads until a blank line and `body` more bytes.
fn read_message(stream: &mut TcpStream, body: usize) {
    let mut seen = Vec::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        let len = stream.read(&mut chunk).expect("read");
        assert_ne!(len, 0, "the end came early");
        seen.extend_from_slice(&chunk[..len]);
        let head = seen.windows(4).position(|four| four == b"\r\n\r\n");
        if head.is_some_and(|head| seen.len() >= head + 4 + body) {
            return;
        }
    }
}

/// IPv6 segments beyond 64 KiB carry a hop-by-hop header; loopback makes them by default.
#[test]
fn a_large_answer_over_ipv6_loopback_is_seen_to_its_end() {
    const PORT: u16 = 18_086;
    const SIZE: usize = 64 << 20;
    require_root();
    let netns = Netns::new("v6").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &[("/images/os.raw", SIZE)]).expect("nginx");
    let observer = observe(PORT);
    for round in 1..=4 {
        let kept = netns.inside(|| {
            let mut stream =
                TcpStream::connect(SocketAddr::from((Ipv6Addr::LOCALHOST, PORT))).expect("connect");
            stream
                .write_all(b"GET /images/os.raw HTTP/1.1\r\nHost: test\r\n\r\n")
                .expect("ask");
            read_message(&mut stream, SIZE);
            stream
        });
        // The connection lives on: only the last byte ends the exchange.
        let kept = kept.expect("inside");
        assert_eq!(total(&observer), (f64::from(round), 0.0, vec![]));
        drop(kept);
    }
    nginx.stop().expect("log");
    observer.stop().expect("stop");
}

/// The first segment of a request is dropped once: its second arrives first.
#[test]
fn a_request_whose_body_overtakes_its_head_counts() {
    const PORT: u16 = 18_087;
    require_root();
    let (netns, listener, observer) = stage("over", PORT);
    let head: &[u8] = b"POST /api/x HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n";
    // The head is longer than 90 bytes with its IP and TCP headers, the body is not. Once on a
    // new stream, once at a later turn.
    let drop_heads = "add table ip t; add chain ip t in { type filter hook input priority 0; };
        add rule ip t in tcp dport 18087 ip length > 90 limit rate 1/hour burst 1 packets counter drop";
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        for _ in 0..2 {
            read_message(&mut stream, 4);
            stream.write_all(ANSWER).expect("answer");
        }
    });
    let arm = || {
        run(netns.command("nft").args(["flush", "ruleset"])).expect("nft");
        run(netns.command("nft").arg(drop_heads)).expect("nft");
    };
    netns
        .inside(|| {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).expect("connect");
            stream.set_nodelay(true).expect("nodelay");
            for _ in 0..2 {
                arm();
                stream.write_all(head).expect("head");
                stream.write_all(b"body").expect("body");
                read_message(&mut stream, 5);
                let rules = run(netns.command("nft").args(["list", "ruleset"])).expect("nft");
                assert!(rules.contains("counter packets 1 "), "{rules}");
            }
        })
        .expect("inside");
    server.join().expect("server");
    assert_eq!(total(&observer), (2.0, 0.0, vec![]));
    observer.stop().expect("stop");
}

/// The handshake's last packet is dropped: the request itself completes it, and is seen with
/// the listener's socket before the connection has one.
#[test]
fn a_request_that_comes_before_its_socket_counts_once() {
    const PORT: u16 = 18_088;
    const CLIENTS: u32 = 8;
    require_root();
    let (netns, listener, observer) = stage("early", PORT);
    let drop_bare_acks = "add table ip t; add chain ip t in { type filter hook input priority 0; };
        add rule ip t in tcp dport 18088 tcp flags & (syn|ack|fin|rst|psh) == ack ip length < 60 drop";
    run(netns.command("nft").arg(drop_bare_acks)).expect("nft");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    for client in 1..=CLIENTS {
        let mut asked = netns
            .inside(|| client::ask(address, "/boot/52:54:00:ab:cd:ef"))
            .expect("inside")
            .expect("ask");
        // Before anybody has accepted it.
        assert_eq!(total(&observer), (f64::from(client - 1), 1.0, vec![]));
        let (mut stream, _) = listener.accept().expect("accept");
        read_message(&mut stream, 0);
        stream.write_all(ANSWER).expect("answer");
        read_message(&mut asked, 5);
    }
    let scrape = observer.scrape().expect("scrape");
    assert_eq!(
        scrape.sum("pxe_observer_events_total", &[("kind", "adopted")]),
        f64::from(CLIENTS)
    );
    assert_eq!(total(&observer), (f64::from(CLIENTS), 0.0, vec![]));
    observer.stop().expect("stop");
}

/// The client waits for `100 Continue` before it sends its body.
#[test]
fn an_interim_answer_is_not_the_answer() {
    const PORT: u16 = 18_089;
    require_root();
    let (netns, listener, observer) = stage("interim", PORT);
    let head: &[u8] =
        b"POST /api/x HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        for _ in 0..2 {
            read_message(&mut stream, 0);
            stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .expect("interim");
            stream.read_exact(&mut [0; 4]).expect("body");
            stream.write_all(ANSWER).expect("answer");
        }
    });
    let kept = netns.inside(|| {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).expect("connect");
        for _ in 0..2 {
            stream.write_all(head).expect("head");
            read_message(&mut stream, 0);
            stream.write_all(b"body").expect("body");
            read_message(&mut stream, 5);
        }
        stream
    });
    server.join().expect("server");
    let kept = kept.expect("inside");
    let scrape = observer.scrape().expect("scrape");
    let posts = [("endpoint", "api"), ("method", "POST"), ("status", "200")];
    assert_eq!(scrape.sum("http_requests_total", &posts), 2.0);
    assert_eq!(total(&observer), (2.0, 0.0, vec![]));
    drop(kept);
    observer.stop().expect("stop");
}
