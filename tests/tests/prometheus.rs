//! A real Prometheus, of what the daemon says of real traffic.

use std::{
    io::Read as _,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use tests::{
    client::{self, Request, curl},
    netns::Netns,
    nginx::Nginx,
    observer::Observer,
    prometheus::{Prometheus, Sample, check_metrics, without_accept},
    require_root,
    scrape::{Labels, Scrape},
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FILES: [(&str, usize); 2] = [("/images/os.raw", 1 << 20), ("/boot/script", 900)];

fn observe(port: u16) -> Observer {
    let port = port.to_string();
    Observer::start(&["--http-port", &port, "--profile", "dragonfly"]).expect("observer")
}

/// Requests of several kinds, all answered.
fn traffic(netns: &Netns, port: u16) {
    let all = [
        ("GET", "/images/os.raw"),
        ("HEAD", "/boot/script"),
        ("GET", "/nothing"),
        ("POST", "/api/machines"),
    ];
    let requests: Vec<Request<'_>> = all.iter().cycle().take(40).map(|r| (*r).into()).collect();
    curl(netns, LOOPBACK, port, &requests, false).expect("traffic");
}

#[test]
fn promtool_finds_nothing_wrong() {
    require_root();
    const PORT: u16 = 18_207;
    let netns = Netns::new("promtool").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &FILES).expect("nginx");
    let observer = observe(PORT);
    traffic(&netns, PORT);
    let answer = client::get(observer.address(), "/metrics").expect("scrape");
    let (_, text) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(text.contains("http_requests_total"));
    assert_eq!(check_metrics(text).expect("promtool"), "");
    assert_ne!(
        check_metrics(&format!("{text}\n# TYPE b counter\nb 1\n")).expect("promtool"),
        "",
        "it would find something"
    );
    nginx.stop().expect("log");
    observer.stop().expect("stop");
}

/// Both formats through a real Prometheus give what our own scrape has.
#[test]
fn prometheus_reads_both_formats() {
    require_root();
    const PORT: u16 = 18_208;
    let netns = Netns::new("formats").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &FILES).expect("nginx");
    let observer = observe(PORT);
    let daemon = observer.address();
    let plain = without_accept(daemon).expect("a proxy");
    let jobs = [("plain", plain), ("openmetrics", daemon)];
    let prometheus = Prometheus::start(18_209, &jobs).expect("prometheus");
    traffic(&netns, PORT);
    let in_flight = |scrape: &Scrape| scrape.sum("http_requests_in_flight", &[]);
    let counted = |scrape: &Scrape| scrape.sum("http_requests_total", &[]);
    let over = |scrape: &Scrape| (in_flight(scrape), counted(scrape)) == (0.0, 40.0);
    observer.until(over).expect("all over");
    for (job, accept) in [
        ("plain", ""),
        ("openmetrics", "Accept: application/openmetrics-text\r\n"),
    ] {
        let accept = format!("{accept}Connection: close\r\n");
        let answer = client::get_with(daemon, "/metrics", &accept).expect("scrape");
        let own = sorted(Scrape::parse(&answer).expect("an exposition").all());
        assert!(own.len() > 500, "{}", own.len());
        let query = format!("{{job=\"{job}\",__name__=~\"http_.+\"}}");
        let same = |samples: &[Sample]| without_job(samples) == own;
        prometheus.until(&query, same).expect("what we scraped");
    }
    nginx.stop().expect("log");
    observer.stop().expect("stop");
}

/// What does not change between two scrapes of a calm host.
fn sorted<'a>(all: impl Iterator<Item = &'a (String, Labels, f64)>) -> Vec<(Labels, String)> {
    let http = all.filter(|(name, _, _)| name.starts_with("http_"));
    let mut samples: Vec<_> = http
        .map(|(name, labels, value)| {
            let mut labels = labels.clone();
            labels.insert("__name__".to_owned(), name.clone());
            (labels, value.to_string())
        })
        .collect();
    samples.sort();
    samples
}

fn without_job(samples: &[Sample]) -> Vec<(Labels, String)> {
    let mut samples: Vec<_> = samples
        .iter()
        .map(|(labels, value)| {
            let mut labels = labels.clone();
            labels.retain(|name, _| name != "job" && name != "instance");
            (labels, value.to_string())
        })
        .collect();
    samples.sort();
    samples
}

const RATE: f64 = 600e3;
const LONG: Duration = Duration::from_secs(12);

/// A long download is a rate while it lives, not a spike when it ends.
#[test]
fn the_rate_of_a_long_download_is_smooth() {
    require_root();
    const PORT: u16 = 18_210;
    let netns = Netns::new("rate").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &[("/images/os.raw", 64 << 20)]).expect("nginx");
    let observer = observe(PORT);
    let jobs = [("pxe", observer.address())];
    let prometheus = Prometheus::start(18_211, &jobs).expect("prometheus");
    prometheus
        .until("up", |up| up.iter().any(|(_, value)| *value == 1.0))
        .expect("it scrapes");
    let begun = now();
    download(&netns, SocketAddr::from((LOOPBACK, PORT)));
    let bytes = "http_response_bytes_total{endpoint=\"image\"}";
    let until = begun + LONG.as_secs_f64();
    // Its beginning fills buffers.
    let (from, until) = (begun + 6.0, until - 0.5);
    let rates = prometheus
        .range(&format!("rate({bytes}[4s])"), from, until)
        .expect("rates");
    assert!(rates.len() >= 4, "{rates:?}");
    for (_, rate) in &rates {
        let share = rate / RATE;
        assert!(
            (0.75..1.25).contains(&share),
            "{share} of the rate: {rates:?}"
        );
    }
    let samples = prometheus
        .samples(&format!("{bytes}[20s]"))
        .expect("samples");
    let during = |at: f64| from < at && at < until;
    for pair in samples
        .windows(2)
        .filter(|pair| during(pair[0].0) && during(pair[1].0))
    {
        assert!(pair[1].1 > pair[0].1, "it stands still: {samples:?}");
    }
    let concurrency = "rate(http_requests_in_flight_seconds_total{endpoint=\"image\"}[4s])";
    for (_, mean) in prometheus
        .range(concurrency, from, until)
        .expect("concurrency")
    {
        assert!((mean - 1.0).abs() < 0.1, "{mean} at one time");
    }
    nginx.stop().expect("log");
    observer.stop().expect("stop");
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock").as_secs_f64()
}

/// Reads at an even pace, with no room to read ahead.
fn download(netns: &Netns, server: SocketAddr) {
    const PIECE: usize = 30_000;
    let connect = || TcpStream::connect(server).expect("connect");
    let mut stream = netns.inside(connect).expect("inside");
    set_socket_recv_buffer_size(&stream, PIECE).expect("a small buffer");
    let request = b"GET /images/os.raw HTTP/1.1\r\nHost: test\r\n\r\n";
    std::io::Write::write_all(&mut stream, request).expect("ask");
    let mut piece = vec![0; PIECE];
    let begun = Instant::now();
    let pieces = (1_u32..).map(|n| {
        (
            n,
            Duration::from_secs_f64(f64::from(n) * PIECE as f64 / RATE),
        )
    });
    for (_, due) in pieces.take_while(|(_, due)| *due < LONG) {
        stream.read_exact(&mut piece).expect("a piece");
        thread::sleep(due.saturating_sub(begun.elapsed()));
    }
}
