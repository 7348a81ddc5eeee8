//! Memory and descriptors stay what they are, however long connections come and go: 10,000 a minute.
//!
//! Seconds in continuous integration; eight hours are
//! `PXE_OBSERVER_SOAK=28800 cargo test --package tests --test soak -- --nocapture`.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use tests::{client, netns::Netns, nginx::Nginx, observer::Observer, require_root, scrape::Scrape};

const PORT: u16 = 18_271;
/// Seconds.
const USUAL: u64 = 20;
/// 10,000 a minute.
const BETWEEN: Duration = Duration::from_millis(6);
/// Until tables and buffers have the size that they keep.
const WARM: Duration = Duration::from_secs(10);
/// Of resident memory, in bytes: allocators keep some of what they get.
const ROOM: f64 = 4e6;
const SAMPLES: u32 = 30;
/// Descriptors of network namespaces where others serve, on the same host.
const NAMESPACES: usize = 32;

#[test]
fn memory_and_descriptors_stay_flat() {
    require_root();
    let seconds = env::var("PXE_OBSERVER_SOAK").ok();
    let seconds = seconds.map_or(USUAL, |text| text.parse().expect("seconds"));
    let netns = Netns::new("soak").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &[("/vmlinuz", 20_000)]).expect("nginx");
    let observer = Observer::start(&["--http-port", &PORT.to_string()]).expect("observer");
    let (enough, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            netns
                .inside(|| connect_until(&enough, &asked))
                .expect("inside")
        });
        let enough = Enough(&enough);
        thread::sleep(WARM);
        let before = sample(&observer, &asked);
        let mut last = before;
        for _ in 0..SAMPLES {
            thread::sleep(Duration::from_secs(seconds) / SAMPLES);
            last = sample(&observer, &asked);
        }
        drop(enough);
        let more = last.descriptors.saturating_sub(before.descriptors);
        assert!(more <= NAMESPACES, "{more} descriptors more");
        let grown = last.resident - before.resident;
        assert!(grown < ROOM, "{grown} bytes more");
    });
    observer.stop().expect("stop");
    let log = nginx.stop().expect("log");
    assert_eq!(log.len() as u64, asked.load(Ordering::Relaxed));
}

/// Ends the connections also when an assertion fails.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn connect_until(enough: &AtomicBool, asked: &AtomicU64) {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let begun = Instant::now();
    while !enough.load(Ordering::Relaxed) {
        client::get(server, "/vmlinuz").expect("an answer");
        let count = asked.fetch_add(1, Ordering::Relaxed) + 1;
        let due = begun + BETWEEN * u32::try_from(count).expect("days");
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

#[derive(Clone, Copy)]
struct Sample {
    resident: f64,
    descriptors: usize,
}

fn sample(observer: &Observer, asked: &AtomicU64) -> Sample {
    let scrape: Scrape = observer.scrape().expect("scrape");
    let sample = Sample {
        resident: scrape.sum("process_resident_memory_bytes", &[]),
        // The scrape's own connection may be open still.
        descriptors: at_rest(observer),
    };
    eprintln!(
        "{} requests: {} bytes resident, {} descriptors",
        asked.load(Ordering::Relaxed),
        sample.resident,
        sample.descriptors
    );
    sample
}

/// The fewest of several looks: the sampler opens files and sockets for a moment.
fn at_rest(observer: &Observer) -> usize {
    let looks = (0..20).map(|_| {
        thread::sleep(Duration::from_millis(5));
        observer.descriptors().expect("procfs")
    });
    looks.min().unwrap_or(0)
}
