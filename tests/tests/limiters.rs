//! What answers wait for while they are sent: each cause made for real, and all of it together the
//! transfer phases.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tests::{
    client,
    netns::{Ends, Netns, link},
    nginx::Nginx,
    observer::Observer,
    process::run,
    require_root,
    scrape::Scrape,
};

const PATH: &str = "/images/a.img";
const LIMITERS: [&str; 4] = ["server", "send_buffer", "client_window", "path"];
/// An answer takes so long: three looks, or more.
const TAKES: Duration = Duration::from_secs(4);

/// A client, and a server behind a link.
struct Stage {
    client: Netns,
    server: Netns,
    ends: Ends,
    observer: Observer,
    port: u16,
}

impl Stage {
    fn new(port: u16) -> Self {
        require_root();
        let (client, server) = (
            Netns::new("cli").expect("netns"),
            Netns::new("srv").expect("netns"),
        );
        let ends = link(&client, &server, 3).expect("link");
        let observer = Observer::start(&["--http-port", &port.to_string()]).expect("observer");
        Self {
            client,
            server,
            ends,
            observer,
            port,
        }
    }

    fn ask(&self) -> TcpStream {
        let server: IpAddr = self.ends.far[0];
        let ask = || client::ask(SocketAddr::new(server, self.port), PATH);
        self.client.inside(ask).expect("inside").expect("ask")
    }

    /// Nearly all of an answer's time went there, which says it while it is sent, and nothing of its
    /// time is missing in the end.
    fn check(self, expected: &str, receive: impl FnOnce(TcpStream) + Send) {
        let stream = self.ask();
        thread::scope(|scope| {
            scope.spawn(move || receive(stream));
            let told = |scrape: &Scrape| limited(scrape, expected) > 1.0;
            let scrape = self.observer.until(told).expect("told while it is sent");
            assert_eq!(scrape.sum("http_requests_in_flight", &[]), 1.0);
        });
        let ended = |scrape: &Scrape| {
            scrape.sum("http_requests_total", &[]) == 1.0
                && scrape.sum("http_requests_in_flight", &[]) == 0.0
        };
        let scrape = self.observer.until(ended).expect("ended");
        let by_limiter = LIMITERS.map(|limiter| limited(&scrape, limiter));
        let sampled: f64 = by_limiter.iter().sum();
        let unsampled = scrape.sum("pxe_observer_unsampled_transfer_seconds_total", &[]);
        let transfer = scrape.sum("http_request_phase_seconds_sum", &[("phase", "transfer")]);
        let what =
            format!("{LIMITERS:?}: {by_limiter:?}, {unsampled} of {transfer} s not looked at");
        assert!(
            (sampled + unsampled - transfer).abs() < 0.01 * transfer,
            "{what}"
        );
        assert!(limited(&scrape, expected) > 0.8 * sampled, "{what}");
        assert!(sampled > 0.5 * transfer, "{what}");
        self.observer.stop().expect("stop");
    }
}

fn limited(scrape: &Scrape, limiter: &str) -> f64 {
    let name = "http_transfer_limited_seconds_total";
    scrape.sum(name, &[("limiter", limiter)])
}

fn read_all(mut stream: TcpStream) {
    stream.read_to_end(&mut Vec::new()).expect("the answer");
}

#[test]
fn a_client_that_reads_slowly() {
    const PORT: u16 = 18_200;
    let stage = Stage::new(PORT);
    let nginx = Nginx::start(&stage.server, PORT, &[(PATH, 64 << 20)]).expect("nginx");
    stage.check("client_window", |mut stream| {
        let (begun, mut room) = (Instant::now(), vec![0; 64 << 10]);
        while begun.elapsed() < TAKES {
            stream.read_exact(&mut room).expect("some of it");
            // A disk that takes so much a second.
            thread::sleep(Duration::from_millis(20));
        }
        read_all(stream);
    });
    nginx.stop().expect("log");
}

#[test]
fn a_link_that_is_full() {
    const PORT: u16 = 18_201;
    let stage = Stage::new(PORT);
    let nginx = Nginx::start(&stage.server, PORT, &[(PATH, 2 << 20)]).expect("nginx");
    let shaped = ["qdisc", "add", "dev", "f3", "root", "tbf"];
    let rate = ["rate", "4mbit", "burst", "16kb", "latency", "100ms"];
    let mut tc: Command = stage.server.command("tc");
    run(tc.args(shaped).args(rate)).expect("shape the link");
    stage.check("path", read_all);
    nginx.stop().expect("log");
}

#[test]
fn a_server_that_writes_slowly() {
    const PORT: u16 = 18_202;
    let stage = Stage::new(PORT);
    let listen = || TcpListener::bind(("0.0.0.0", PORT)).expect("listen");
    let listener = stage.server.inside(listen).expect("inside");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        let mut head = [0; 512];
        let read = stream.read(&mut head).expect("a request");
        assert!(head[..read].ends_with(b"\r\n\r\n"));
        let pieces = 40;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            pieces * 1_000
        )
        .expect("head");
        for _ in 0..pieces {
            // An image that is made while it is sent.
            thread::sleep(TAKES / pieces);
            match stream.write_all(&[0; 1_000]) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                result => result.expect("a piece"),
            }
        }
    });
    stage.check("server", read_all);
    server.join().expect("server");
}
