//! What servers send under an observer that comes and goes, whose ring is too small and whose tables
//! are full, arrives byte for byte.
//!
//! How long it takes beside a control is `cargo xtask bench trouble`.

use std::{
    fs,
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use tests::{
    netns::Netns, nginx::Nginx, observer::Observer, require_root, scrape::Scrape, server,
    tftp::server::Server,
};

const HTTP: u16 = 18_281;
const TFTP: u16 = 18_282;
const LARGE: usize = 8 << 20;
const SMALL: usize = 700_000;
const CYCLES: usize = 10;

/// Ends the clients also when an assertion fails.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// No two places of it are alike.
fn bytes(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..))
        .take(length)
        .collect()
}

#[test]
fn what_is_sent_arrives_whatever_becomes_of_the_observer() {
    require_root();
    let netns = Netns::new("harm").expect("netns");
    let (large, small) = (bytes(LARGE), bytes(SMALL));
    let folder = server::folder(&[("/large", 0)]).expect("folder");
    fs::write(folder.path().join("www/large"), &large).expect("write");
    let nginx = Nginx::start_with(&netns, HTTP, folder, "sendfile on;").expect("nginx");
    let tftp = Server::tftp_hpa(&netns, TFTP, &[("/small", 0)]).expect("tftpd");
    fs::write(tftp.root().join("small"), &small).expect("write");
    let (enough, arrived) = (AtomicBool::new(false), AtomicUsize::new(0));
    let fetch = |url: &str, expected: &[u8]| {
        while !enough.load(Ordering::Relaxed) {
            assert!(fetched(&netns, url) == expected, "{url} arrived otherwise");
            arrived.fetch_add(1, Ordering::Relaxed);
        }
    };
    let http = format!("http://127.0.0.1:{HTTP}/large");
    let tftp_url = format!("tftp://127.0.0.1:{TFTP}/small");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| fetch(&http, &large));
        }
        scope.spawn(|| fetch(&tftp_url, &small));
        let enough = Enough(&enough);
        for _ in 0..CYCLES {
            come_and_go();
        }
        drop(enough);
    });
    assert!(
        arrived.into_inner() > CYCLES,
        "too few to be of all moments"
    );
    drop((nginx, tftp));
}

/// One connection fills the table, and a page the ring.
fn come_and_go() {
    let (http, tftp) = (HTTP.to_string(), TFTP.to_string());
    let ports = ["--http-port", &http, "--tftp-port", &tftp];
    let small = ["--max-connections", "1", "--ring-bytes", "4096"];
    let observer = Observer::start(&[&ports[..], &small].concat()).expect("observer");
    let is_full = |scrape: &Scrape| scrape.sum("pxe_observer_events_lost_total", &[]) > 0.0;
    observer.until(is_full).expect("more than fits");
    observer.stop().expect("stop");
}

fn fetched(netns: &Netns, url: &str) -> Vec<u8> {
    let mut curl = netns.command("curl");
    curl.args(["--silent", "--show-error", url])
        .stdin(Stdio::null());
    let output = curl.output().expect("curl");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{url}: {said}");
    output.stdout
}
