//! Answers that stand still, whoever is to blame: the right gauge says so, and no other.

use std::{
    io::{Read as _, copy, sink},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    thread::{self, JoinHandle},
};

use tests::{
    client,
    netns::Netns,
    nginx::Nginx,
    observer::Observer,
    relay::{Faults, Relay},
    require_root,
    scrape::Scrape,
};

const IMAGE: &str = "/images/os.raw";
/// More than socket buffers hold.
const SIZE: usize = 64 << 20;
const CAUSES: [&str; 3] = ["server", "client_window", "path"];

/// A server, and who watches it; nothing moves for a second and is stalled.
struct Play {
    server: Netns,
    nginx: Nginx,
    observer: Observer,
    port: String,
}

impl Play {
    fn new(port: u16) -> Self {
        require_root();
        let server = Netns::new("srv").expect("netns");
        let nginx = Nginx::start(&server, port, &[(IMAGE, SIZE)]).expect("nginx");
        let port = port.to_string();
        let args = ["--http-port", &port, "--stalled-after", "1"];
        let observer = Observer::start(&[&args[..], &["--profile", "dragonfly"]].concat());
        Self {
            server,
            nginx,
            observer: observer.expect("observer"),
            port,
        }
    }

    fn stalled(scrape: &Scrape) -> [f64; 3] {
        let labels = |cause| [("endpoint", "image"), ("waits_for", cause)];
        CAUSES.map(|cause| scrape.sum("http_transfers_stalled", &labels(cause)))
    }

    /// Waits until one answer waits for this, and nothing else does for anything.
    fn until_it_waits_for(&self, cause: &str) {
        let expected = CAUSES.map(|one| f64::from(u8::from(one == cause)));
        let reached = |scrape: &Scrape| Self::stalled(scrape) == expected;
        let scrape = self.observer.until(reached).expect(cause);
        assert_eq!(scrape.sum("http_transfers_stalled", &[]), 1.0);
        assert_eq!(scrape.sum("tftp_transfers_stalled", &[]), 0.0);
        assert_eq!(scrape.sum("http_requests_waiting", &[]), 0.0);
        assert_eq!(scrape.sum("http_requests_in_flight", &[]), 1.0);
        assert_eq!(self.connections(&scrape), 1.0);
    }

    fn connections(&self, scrape: &Scrape) -> f64 {
        let all = scrape.sum("tcp_connections_in_flight", &[]);
        let own = scrape.sum("tcp_connections_in_flight", &[("port", &self.port)]);
        assert_eq!(own, all, "at another port");
        own
    }

    /// It goes on, and all gauges go back to 0.
    fn ends(self, rest: JoinHandle<u64>, before: u64) {
        let read = rest.join().expect("the client");
        assert!(before + read > SIZE as u64, "{read} bytes and a head");
        let is_over = |scrape: &Scrape| {
            let gauges = ["http_requests_in_flight", "http_transfers_stalled"];
            let sum: f64 = gauges.map(|name| scrape.sum(name, &[])).iter().sum();
            sum + self.connections(scrape) == 0.0
        };
        let scrape = self.observer.until(is_over).expect("the end");
        assert_eq!(scrape.sum("http_response_bytes_total", &[]), SIZE as f64);
        assert_eq!(scrape.sum("http_requests_aborted_total", &[]), 0.0);
        assert_eq!(scrape.lost(), []);
        let rows = self.nginx.stop().expect("log");
        assert!(rows.len() == 1 && rows[0].complete, "{rows:?}");
        self.observer.stop().expect("stop");
    }
}

/// Asks for the image, and reads so much of the answer.
fn begin(client: &Netns, server: SocketAddr, first: usize) -> TcpStream {
    let begin = || {
        let mut stream = client::ask(server, IMAGE).expect("ask");
        stream.read_exact(&mut vec![0; first]).expect("first bytes");
        stream
    };
    client.inside(begin).expect("inside")
}

/// Reads the rest meanwhile; says how much it was.
fn read_on(mut stream: TcpStream) -> JoinHandle<u64> {
    thread::spawn(move || copy(&mut stream, &mut sink()).expect("the rest"))
}

#[test]
fn a_client_that_does_not_read() {
    const PORT: u16 = 18_291;
    let play = Play::new(PORT);
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let stream = begin(&play.server, server, 512);
    play.until_it_waits_for("client_window");
    play.ends(read_on(stream), 512);
}

#[test]
fn a_server_that_does_not_send() {
    const PORT: u16 = 18_292;
    let play = Play::new(PORT);
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let stream = begin(&play.server, server, 512);
    play.nginx.hold(true).expect("hold");
    // What is in the buffers goes through; then the client waits.
    let rest = read_on(stream);
    play.until_it_waits_for("server");
    play.nginx.hold(false).expect("let go");
    play.ends(rest, 512);
}

#[test]
fn a_path_that_loses_everything() {
    const PORT: u16 = 18_293;
    const FIRST: usize = 1 << 20;
    let play = Play::new(PORT);
    let afar = Netns::new("afar").expect("netns");
    let relay = Relay::start(&play.server, &afar, 1, Faults::default(), 1);
    let (relay, ends) = relay.expect("relay");
    let server = SocketAddr::new(ends.near[0], PORT);
    let stream = begin(&afar, server, FIRST);
    relay.cut(true);
    let rest = read_on(stream);
    play.until_it_waits_for("path");
    relay.cut(false);
    play.ends(rest, FIRST as u64);
    let [near, _] = relay.stop().expect("relay");
    assert!(near.cut > 0, "{near:?}");
}
