//! Killed under load and started again: the server notices nothing, nothing stays behind.

use std::{
    net::Ipv4Addr,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use tests::{
    client::curl, netns::Netns, nginx::Nginx, observer::Observer, process::run, require_root,
};

const PORT: u16 = 18_084;
const KILLS: usize = 5;
/// Many times what the load or the kernel needs.
const GRACE: Duration = Duration::from_secs(10);
/// The names of our programs.
const PROGRAMS: [&str; 6] = [
    "ingress",
    "egress",
    "recv_btf",
    "destroy_btf",
    "recv_classic",
    "destroy_classic",
];

#[test]
fn kill_9_under_load_leaves_nothing_behind() {
    require_root();
    let netns = Netns::new("srv").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &[("/boot/ipxe.efi", 300_000)]).expect("nginx");
    let enough = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let requests = [("GET", "/boot/ipxe.efi").into(); 20];
            let mut sent = 0;
            while !enough.load(Ordering::Relaxed) {
                curl(
                    &netns,
                    Ipv4Addr::LOCALHOST.into(),
                    PORT,
                    &requests,
                    sent % 40 == 0,
                )
                .expect("curl");
                sent += requests.len();
            }
            sent
        });
        let enough = Enough(&enough);
        for _ in 0..KILLS {
            let observer = start();
            observed_something(&observer);
            observer.kill().expect("kill");
            wait_until_nothing_is_loaded();
        }
        let observer = start();
        observed_something(&observer);
        drop(enough);
        let sent = load.join().expect("load");
        observer.stop().expect("stop");
        sent
    });
    let log = nginx.stop().expect("nginx's log");
    assert_eq!(log.len(), sent);
    assert!(log.iter().all(|row| row.status == 200 && row.complete));
    wait_until_nothing_is_loaded();
}

/// Ends the load also when an assertion fails.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn start() -> Observer {
    Observer::start(&["--http-port", &PORT.to_string()]).expect("observer")
}

fn observed_something(observer: &Observer) {
    let begun = Instant::now();
    let total = || {
        observer
            .scrape()
            .expect("scrape")
            .sum("http_requests_total", &[])
    };
    while total() == 0.0 {
        assert!(begun.elapsed() < GRACE, "the load is not seen");
    }
}

/// The kernel frees programs a grace period after their last user. This test has the machine
/// for itself: cargo runs test binaries one after the other.
fn wait_until_nothing_is_loaded() {
    let begun = Instant::now();
    loop {
        let programs = run(Command::new("bpftool").args(["prog", "show"])).expect("bpftool");
        let ours = |line: &str| {
            PROGRAMS
                .iter()
                .any(|name| line.contains(&format!(" name {name} ")))
        };
        let left: Vec<&str> = programs.lines().filter(|line| ours(line)).collect();
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < GRACE, "still loaded: {left:?}");
    }
}
