//! What answers wait for while they are sent: each cause made for real, and all of it together the
//! transfer phases.

use std::{
    io::Read as _,
    net::{IpAddr, SocketAddr, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use tests::{
    client,
    netns::{Ends, Netns, link},
    nginx::Nginx,
    observer::Observer,
    process::run,
    require_root,
    scrape::Scrape,
    server::folder,
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
        let mut room = vec![0; 1 << 20];
        for _ in 0..TAKES.as_secs() {
            // A disk that is busy with something else.
            thread::sleep(Duration::from_secs(1));
            stream.read_exact(&mut room).expect("some of it");
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
    let folder = folder(&[(PATH, 256 << 10)]).expect("folder");
    let nginx = Nginx::start_with(&stage.server, PORT, folder, "limit_rate 64k;").expect("nginx");
    stage.check("server", read_all);
    nginx.stop().expect("log");
}
