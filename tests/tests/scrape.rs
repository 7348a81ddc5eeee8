//! What a scraper sees.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use observer_user::kernel::Hook;
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use tests::{
    client,
    load::Load,
    manager::Manager,
    netns::Netns,
    nginx::Nginx,
    observer::{self, Observer},
    process::run,
    require_root,
    scrape::Scrape,
    truth,
};

const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[test]
fn a_scrape_is_what_prometheus_expects() {
    require_root();
    let observer = Observer::start(&["--http-port", "18083"]).expect("observer");
    let scrape = observer.scrape().expect("scrape");
    assert_eq!(scrape.status, "HTTP/1.1 200 OK");
    assert_eq!(scrape.content_type, PLAIN);
    for probe in ["ingress", "egress", "recv", "destroy"] {
        assert_eq!(
            scrape.sum("pxe_observer_probe_attached", &[("probe", probe)]),
            1.0,
            "{probe}"
        );
    }
    assert_eq!(
        scrape.series("http_requests_in_flight").count(),
        13,
        "a gauge for each stage"
    );
    let accept = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    let answer = client::get_with(observer.address(), "/metrics", accept).expect("an answer");
    assert!(answer.ends_with("# EOF\n"));
    let scrape = Scrape::parse(&answer).expect("OpenMetrics");
    assert_eq!(scrape.content_type, OPEN_METRICS);
    for (path, headers, status) in [
        ("/healthz", "", "200 OK"),
        ("/", "", "200 OK"),
        ("/nothing", "", "404 Not Found"),
        ("/metrics", "Content-Length: 5\r\n", "413 Payload Too Large"),
        ("/metrics", "Nonsense\r\n", "400 Bad Request"),
    ] {
        let answer = client::get_with(observer.address(), path, headers).expect("an answer");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{path}: {answer}"
        );
    }
    observer.stop().expect("stop");
}

#[test]
fn a_scrape_is_compressed_for_who_asks_for_it() {
    require_root();
    let observer = Observer::start(&["--http-port", "18202"]).expect("observer");
    let url = format!("http://{}/metrics", observer.address());
    let curl = |more: &[&str]| {
        let mut curl = Command::new("curl");
        run(curl.args(["--silent", "--show-error"]).args(more).arg(&url)).expect("curl")
    };
    let size = ["--output", "/dev/null", "--write-out", "%{size_download}"];
    let size = |more: &[&str]| -> u64 {
        let arguments = [&size, more].concat();
        curl(&arguments).parse().expect("a size")
    };
    let gzip = ["--header", "Accept-Encoding: gzip"];
    assert!(size(&gzip) * 10 < size(&[]), "{} bytes", size(&gzip));
    let answer = curl(&["--compressed", "--include"]);
    assert!(answer.to_lowercase().contains("content-encoding: gzip"));
    let scrape = Scrape::parse(&answer).expect("an exposition");
    assert_eq!(scrape.content_type, PLAIN);
    let head = curl(&["--head"]);
    assert!(head.contains(PLAIN), "{head}");
    observer.stop().expect("stop");
}

#[test]
fn it_serves_at_every_address_that_it_was_given() {
    require_root();
    let both = ["[::1]:18213", "127.0.0.1:18213"];
    let [v6, v4] = both.map(|address| ["--web.listen-address", address]);
    let arguments = [&v6[..], &v4, &["--http-port", "18214"]].concat();
    let observer = Observer::start(&arguments).expect("observer");
    for address in both {
        let address = address.parse().expect("an address");
        let answer = client::get(address, "/metrics").expect("an answer");
        let scrape = Scrape::parse(&answer).expect("an exposition");
        assert_eq!(scrape.content_type, PLAIN, "{address}");
    }
    observer.stop().expect("stop");
}

/// Scrapes in parallel, under load: in each, every family is of the same instant.
#[test]
fn every_scrape_is_of_one_instant() {
    require_root();
    const PORT: u16 = 18_203;
    let netns = Netns::new("instant").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &[("/images/a.raw", 1024)]).expect("nginx");
    let port = PORT.to_string();
    // The ring has room for all of it, however little time the daemon gets.
    let ring = (64 << 20).to_string();
    let arguments = ["--http-port", &port, "--ring-bytes", &ring];
    let observer = Observer::start(&[&arguments[..], &["--profile", "dragonfly"]].concat());
    let observer = observer.expect("observer");
    let load = Load {
        server: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
        path: "/images/a.raw",
        threads: 2,
        connections: 16,
        rounds: 1_000,
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| scrape_until(&observer, &is_over));
        }
        let run = load.run(&netns);
        // Else a load that failed would never be over.
        is_over.store(true, Ordering::Relaxed);
        run.expect("load");
    });
    let log = nginx.stop().expect("log");
    let scrape = observer.scrape().expect("scrape");
    truth::check(&scrape, &log, |_| "image".to_owned());
    let peak = scrape.sum("http_requests_in_flight_peak", &[]);
    assert!((1.0..=32.0).contains(&peak), "{peak} on 32 connections");
    observer.stop().expect("stop");
}

/// Checks each scrape, and that nothing ever falls from one to the next.
fn scrape_until(observer: &Observer, is_over: &AtomicBool) {
    let mut before = 0.0;
    while !is_over.load(Ordering::Relaxed) {
        let scrape = observer.scrape().expect("scrape");
        truth::histogram_equals_counter(&scrape);
        let series = scrape.sum("pxe_observer_series", &[]);
        assert_eq!(series, scrape.all().count() as f64);
        let of = |name| scrape.sum(name, &[("endpoint", "image")]);
        let in_flight = of("http_requests_in_flight");
        assert!(in_flight <= of("http_requests_in_flight_peak"));
        let total = of("http_requests_in_flight_seconds_total");
        assert!(total >= before, "{total} after {before}");
        before = total;
    }
}

#[test]
fn it_says_what_it_takes_and_how_full_it_is() {
    require_root();
    const PORT: u16 = 18_204;
    let netns = Netns::new("itself").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &[("/a", 8 << 20)]).expect("nginx");
    let port = PORT.to_string();
    let observer = Observer::start(&["--http-port", &port, "--max-connections", "1000"]);
    let observer = observer.expect("observer");
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let held: Vec<TcpStream> = (0..10)
        .map(|_| {
            let ask = || client::ask(server, "/a").expect("ask");
            netns.inside(ask).expect("inside")
        })
        .collect();
    let entries =
        |scrape: &Scrape, table| scrape.sum("pxe_observer_table_entries", &[("table", table)]);
    let scrape = observer
        .until(|scrape| entries(scrape, "conns") == 10.0)
        .expect("ten connections");
    assert_eq!(entries(&scrape, "tracker"), 10.0);
    let limit = |table| scrape.sum("pxe_observer_table_limit", &[("table", table)]);
    assert_eq!((limit("conns"), limit("pipes")), (1_000.0, 8_192.0));
    for (name, least) in [
        ("process_open_fds", 10.0),
        ("process_max_fds", 100.0),
        ("process_resident_memory_bytes", 1e6),
        ("process_start_time_seconds", 1.6e9),
        ("pxe_observer_last_drain_timestamp_seconds", 1.6e9),
    ] {
        assert!(scrape.sum(name, &[]) > least, "{name}");
    }
    assert_eq!(scrape.sum("pxe_observer_errors_total", &[]), 0.0);
    drop(held);
    let are_gone = |scrape: &Scrape| entries(scrape, "conns") + entries(scrape, "tracker") == 0.0;
    observer.until(are_gone).expect("all gone");
    nginx.stop().expect("log");
    observer.stop().expect("stop");
}

/// Puts back what the kernel counted before.
struct Statistics(String);

const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";

impl Statistics {
    fn set(value: &str) -> Self {
        let before = fs::read_to_string(STATISTICS).expect("read");
        fs::write(STATISTICS, value).expect("write");
        Self(before)
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        fs::write(STATISTICS, self.0.trim()).expect("put back");
    }
}

#[test]
fn what_hooks_take_is_told_while_the_kernel_counts_it() {
    require_root();
    let observer = Observer::start(&["--http-port", "18205"]).expect("observer");
    let runs = |scrape: &Scrape| {
        let of = |name| {
            scrape
                .series(name)
                .map(|(_, value)| value)
                .collect::<Vec<_>>()
        };
        let seconds = of("pxe_observer_probe_run_seconds_total");
        (of("pxe_observer_probe_runs_total"), seconds)
    };
    let counting = Statistics::set("1");
    // Its own scrapes are packets that the hooks see.
    let (counts, seconds) = runs(
        &observer
            .until(|scrape| runs(scrape).0.len() == Hook::ALL.len())
            .expect("runs"),
    );
    assert_eq!(counts.len(), seconds.len());
    let seen = |scrape: &Scrape| runs(scrape).1.iter().sum::<f64>() > 0.0;
    observer.until(seen).expect("time in hooks");
    fs::write(STATISTICS, "0").expect("write");
    assert_eq!(runs(&observer.scrape().expect("scrape")), (vec![], vec![]));
    drop(counting);
    observer.stop().expect("stop");
}

#[test]
fn a_connection_that_cannot_be_taken_is_an_error() {
    require_root();
    const DESCRIPTORS: usize = 64;
    let mut command = Command::new("prlimit");
    // Twice what it needs itself.
    let limit = format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}");
    command.arg(limit).arg(observer::binary()).args([
        "run",
        "--web.listen-address",
        "127.0.0.1:0",
        "--http-port",
        "18206",
    ]);
    let observer = Observer::start_command(&mut command).expect("observer");
    let connect = || TcpStream::connect(observer.address()).expect("connect");
    let held: Vec<TcpStream> = (0..60).map(|_| connect()).collect();
    // The last of them waits for a descriptor; so long as it does, nobody is answered.
    thread::scope(|scope| {
        let waits = scope.spawn(|| observer.scrape().expect("scrape"));
        let begun = Instant::now();
        while observer.descriptors().expect("procfs") < DESCRIPTORS {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "never out of them"
            );
            thread::yield_now();
        }
        drop(held);
        let scrape = waits.join().expect("scraper");
        let errors = scrape.sum("pxe_observer_errors_total", &[("what", "accept")]);
        assert!(errors >= 1.0, "{errors} errors");
    });
    observer.stop().expect("stop");
}

/// Of a connection at which the server can send little at a time, so that most of an answer is still
/// in its hands.
#[test]
fn a_scrape_in_hand_at_a_stop_is_finished() {
    require_root();
    let netns = Netns::new("stop").expect("netns");
    let little = || fs::write("/proc/sys/net/ipv4/tcp_wmem", "4096 4096 4096");
    netns.inside(little).expect("inside").expect("sysctl");
    // What was sent before the stop: a part of the request, all of it.
    for sent in [10, REQUEST.len()] {
        let manager = Manager::new().expect("manager");
        let mut command = netns.command(&observer::binary().to_string_lossy());
        command.args(["run", "--web.listen-address", "127.0.0.1:0"]);
        command.args(["--http-port", "18207", "--no-live-socket"]);
        manager.manage(&mut command, None);
        let observer = Observer::start_command(&mut command).expect("observer");
        let mut stream = netns.inside(|| begin(observer.address(), sent));
        let stream = stream.as_mut().expect("inside");
        observer.signal(Signal::TERM).expect("stop");
        manager.until("STOPPING=1").expect("it is told");
        stream.get_mut().write_all(&REQUEST[sent..]).expect("ask");
        let (head, body) = client::read_answer(stream).expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(body.len() > 10 * ROOM, "all of it is sent at once");
        let (_, status, log) = observer.stop().expect("stop");
        assert!(status.success(), "{log}");
    }
}

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n";
/// What a client with little room is sent.
const ROOM: usize = 8_192;

/// The beginning of a request, and if that is all of it, of its answer.
fn begin(address: SocketAddr, sent: usize) -> BufReader<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
    socket.set_recv_buffer_size(ROOM / 2).expect("little room");
    socket.connect(&address.into()).expect("connect");
    let mut stream = BufReader::with_capacity(1, TcpStream::from(socket));
    client::prepare(stream.get_ref()).expect("patience");
    stream.get_mut().write_all(&REQUEST[..sent]).expect("ask");
    if sent == REQUEST.len() {
        stream.fill_buf().expect("an answer begins");
    }
    stream
}
