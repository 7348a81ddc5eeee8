//! More than fits: what the observer counts and what it says it lost are the server's log, to
//! the unit, and nothing stays in flight.
//!
//! Rates are printed, not asserted: `cargo test --test overload -- --nocapture`.
//! `OVERLOAD_ROUNDS` makes the fast load longer than continuous integration needs.

use std::{
    env,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tests::{
    load::Load, netns::Netns, nginx::Nginx, observer::Observer, require_root, scrape::Scrape,
};

const GET: &str = "GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &str = "POST /api/x HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const PATH: &str = "/boot/52:54:00:ab:cd:ef";
/// Many times what it takes to see that an event was lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// An nginx, and an observer of it with tables of a size.
struct Stage {
    netns: Netns,
    nginx: Nginx,
    observer: Observer,
    port: u16,
}

/// What came of a load.
struct Account {
    asked: usize,
    logged: usize,
    scrape: Scrape,
}

impl Stage {
    fn new(port: u16, sizes: &[&str]) -> Self {
        require_root();
        let netns = Netns::new("load").expect("netns");
        let nginx = Nginx::start(&netns, port, &[(PATH, 100)]).expect("nginx");
        let pinned = port.to_string();
        let args = [&["--http-port", &pinned], sizes].concat();
        let observer = Observer::start(&args).expect("observer");
        Self {
            netns,
            nginx,
            observer,
            port,
        }
    }

    /// Returns how many requests it was.
    fn load(&self, threads: usize, connections: usize, rounds: usize) -> usize {
        let load = Load {
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            path: PATH,
            threads,
            connections,
            rounds,
        };
        let rate = load.run(&self.netns).expect("load").rate;
        eprintln!("{} requests, {rate:.0} a second", load.requests());
        load.requests()
    }

    /// Waits until nothing is in flight, and reads the server's log.
    fn end(self, asked: usize) -> Account {
        let begun = Instant::now();
        let scrape = loop {
            let scrape = self.observer.scrape().expect("scrape");
            if scrape.sum("http_requests_in_flight", &[]) == 0.0 {
                break scrape;
            }
            assert!(begun.elapsed() < PATIENCE, "still in flight");
        };
        eprintln!("nothing in flight after {:?}", begun.elapsed());
        self.observer.stop().expect("stop");
        let logged = self.nginx.stop().expect("log").len();
        Account {
            asked,
            logged,
            scrape,
        }
    }
}

impl Account {
    fn counted(&self) -> f64 {
        self.scrape.sum("http_requests_total", &[])
    }

    fn lost(&self, reason: &str) -> f64 {
        self.scrape
            .sum("pxe_observer_events_lost_total", &[("reason", reason)])
    }

    /// The log is what was counted and what was lost for these reasons; there is no other.
    fn balances(&self, reasons: &[&str]) {
        let lost = self.scrape.lost();
        let full = self.scrape.series("pxe_observer_ring_full_total");
        let full: Vec<_> = full.filter(|(_, count)| *count != 0.0).collect();
        eprintln!(
            "{} logged, {} counted, lost {lost:?}, events {full:?}",
            self.logged,
            self.counted()
        );
        assert_eq!(self.logged, self.asked);
        let all: f64 = lost.iter().map(|(_, count)| count).sum();
        assert_eq!(self.counted() + all, self.logged as f64, "{lost:?}");
        assert!(
            lost.iter()
                .all(|(reason, _)| reasons.contains(&reason.as_str())),
            "{lost:?}"
        );
    }
}

#[test]
fn a_tiny_ring_loses_what_it_says() {
    let stage = Stage::new(18_171, &["--ring-bytes", "4096"]);
    let asked = stage.load(2, 50, 200);
    let account = stage.end(asked);
    account.balances(&["ring_full", "swept"]);
    assert!(account.lost("ring_full") > 0.0 && account.lost("swept") > 0.0);
    assert!(account.counted() > 0.0);
}

/// A connection for each request: what is lost may be its only event, or its last.
#[test]
fn connections_that_come_and_go_are_each_accounted_for() {
    for (port, sizes) in [
        (18_178, &[][..]),
        (18_179, &["--ring-bytes", "4096"]),
        (18_180, &["--max-connections", "16"]),
    ] {
        let stage = Stage::new(port, sizes);
        let asked = (0..20).map(|_| stage.load(2, 200, 1)).sum();
        let account = stage.end(asked);
        account.balances(&["ring_full", "swept", "table_full"]);
        let lost: f64 = account.scrape.lost().iter().map(|(_, lost)| lost).sum();
        assert_eq!(lost == 0.0, sizes.is_empty());
    }
}

#[test]
fn a_tiny_table_loses_what_it_says() {
    let stage = Stage::new(18_172, &["--max-connections", "16"]);
    // Those that come next find the places of those that went.
    let asked = stage.load(2, 50, 25) + stage.load(2, 5, 25) + stage.load(2, 50, 25);
    let account = stage.end(asked);
    account.balances(&["table_full"]);
    assert!(account.lost("table_full") > 0.0 && account.counted() > 0.0);
}

/// A request without a place: its segments, its answer and the place that comes free meanwhile
/// make no more of it.
#[test]
fn a_request_without_a_place_is_lost_once() {
    const PORT: u16 = 18_177;
    require_root();
    let netns = Netns::new("place").expect("netns");
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).expect("listen");
    let listener = netns.inside(listen).expect("inside");
    let args = ["--http-port", "18177", "--max-connections", "1"];
    let observer = Observer::start(&args).expect("observer");
    let connection = || {
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).expect("connect");
        let asked = netns.inside(connect).expect("inside");
        (asked, listener.accept().expect("accept").0)
    };
    // One says, the other takes all of it.
    let say = |from: &mut TcpStream, to: &mut TcpStream, text: &str| {
        from.write_all(text.as_bytes()).expect("say");
        to.read_exact(&mut vec![0; text.len()]).expect("take");
    };
    let mut first = connection();
    let mut second = connection();
    say(&mut first.0, &mut first.1, GET);
    say(&mut first.1, &mut first.0, ANSWER);
    for part in [POST, "bo", "dy"] {
        say(&mut second.0, &mut second.1, part);
    }
    drop(first);
    say(&mut second.1, &mut second.0, ANSWER);
    let counts = || {
        let scrape = observer.scrape().expect("scrape");
        (scrape.sum("http_requests_total", &[]), scrape.lost())
    };
    let lost = vec![("table_full".to_owned(), 1.0)];
    assert_eq!(counts(), (1.0, lost.clone()));
    say(&mut second.0, &mut second.1, GET);
    say(&mut second.1, &mut second.0, ANSWER);
    assert_eq!(counts(), (2.0, lost));
    observer.stop().expect("stop");
}

/// The observer does not run for as long as the load lasts, and the ring is too small for it.
#[test]
fn a_stopped_observer_says_what_it_lost() {
    let stage = Stage::new(18_173, &[]);
    stage.observer.signal(Signal::STOP).expect("stop");
    let asked = stage.load(2, 50, 200);
    stage.observer.signal(Signal::CONT).expect("continue");
    let account = stage.end(asked);
    account.balances(&["ring_full", "swept"]);
    assert!(account.lost("ring_full") > 0.0 && account.counted() > 0.0);
}

/// The same with what the ring holds: the connections are gone when it is read.
#[test]
fn a_stopped_observer_loses_nothing_that_fits() {
    let stage = Stage::new(18_174, &[]);
    stage.observer.signal(Signal::STOP).expect("stop");
    let asked = stage.load(2, 50, 20) + stage.load(2, 500, 1);
    stage.observer.signal(Signal::CONT).expect("continue");
    stage.end(asked).balances(&[]);
}

#[test]
fn requests_as_fast_as_they_go_equal_the_log() {
    let stage = Stage::new(18_175, &[]);
    let rounds = env::var("OVERLOAD_ROUNDS").map_or(500, |rounds| rounds.parse().expect("rounds"));
    let asked = stage.load(2, 100, rounds);
    // The ring holds what comes in 60 ms: who shares our processor may take it for longer.
    stage.end(asked).balances(&["ring_full", "swept"]);
}

#[test]
fn ten_thousand_connections_at_once_equal_the_log() {
    let stage = Stage::new(18_176, &[]);
    let asked = stage.load(2, 5_000, 2);
    stage.end(asked).balances(&[]);
}
