//! Stopped, and killed at any moment, under load and over and over: the server notices nothing,
//! nothing stays behind.
//!
//! `PXE_OBSERVER_STOPS`, `PXE_OBSERVER_EARLY_STOPS` and `PXE_OBSERVER_KILLS` make it longer: 1000, 100
//! and 200 take a quarter of an hour.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Read as _,
    net::Ipv4Addr,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tests::{
    bpf::{self, Object},
    client::curl,
    manager::Manager,
    netns::Netns,
    nginx::Nginx,
    observer::{self, Observer},
    process::Process,
    require_root,
};

const STOPS: usize = 50;
const EARLY_STOPS: usize = 30;
const KILLS: usize = 20;
/// Many times what the load or the kernel needs.
const GRACE: Duration = Duration::from_secs(10);
/// A start takes less.
const STARTED: Duration = Duration::from_millis(1500);
/// Most of a start: what is stopped so early has nothing to serve yet.
const STARTING: Duration = Duration::from_millis(300);

#[test]
fn stopped_under_load_it_leaves_nothing_behind() {
    under_load(18_084, |port| {
        for _ in 0..times("PXE_OBSERVER_STOPS", STOPS) {
            let observer = start(port);
            observed_something(&observer);
            let held = bpf::held_by(observer.pid());
            // Programs, maps and links are seen, or nothing would be found left.
            assert!(held.len() > 20, "{held:?}");
            assert_eq!(bpf::existing(&held).expect("bpftool"), held);
            let (_, status, log) = observer.stop().expect("stop");
            assert!(status.success(), "{log}");
            wait_until_gone(&held);
        }
    });
}

#[test]
fn stopped_while_it_starts_it_ends_well_and_leaves_nothing_behind() {
    under_load(18_086, |port| {
        let mut held = BTreeSet::new();
        let mut early = 0;
        for _ in 0..times("PXE_OBSERVER_EARLY_STOPS", EARLY_STOPS) {
            let (found, log) = stop_while_it_starts(port);
            held.extend(found);
            early += usize::from(log.contains("stopped before anything was observed"));
        }
        assert!(early > 0, "no stop came before it observed");
        wait_until_gone(&held);
    });
}

#[test]
fn killed_at_any_moment_under_load_it_leaves_nothing_behind() {
    under_load(18_085, |port| {
        let mut held = BTreeSet::new();
        for _ in 0..times("PXE_OBSERVER_KILLS", KILLS) {
            held.extend(kill_at_any_moment(port));
        }
        assert!(!held.is_empty(), "no kill came behind an attach");
        wait_until_gone(&held);
        let observer = start(port);
        observed_something(&observer);
        observer.stop().expect("stop");
    });
}

/// Requests without an end while `work` is done: the server's log has each, answered and whole.
fn under_load(port: u16, work: impl FnOnce(u16)) {
    require_root();
    let mounts = mounts();
    let netns = Netns::new("srv").expect("netns");
    let nginx = Nginx::start(&netns, port, &[("/boot/ipxe.efi", 300_000)]).expect("nginx");
    let enough = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let load = scope.spawn(|| ask_until(&netns, port, &enough));
        let enough = Enough(&enough);
        work(port);
        drop(enough);
        load.join().expect("load")
    });
    let log = nginx.stop().expect("nginx's log");
    assert_eq!(log.len(), sent);
    assert!(log.iter().all(|row| row.status == 200 && row.complete));
    assert_eq!(self::mounts(), mounts);
}

fn ask_until(netns: &Netns, port: u16, enough: &AtomicBool) -> usize {
    let requests = [("GET", "/boot/ipxe.efi").into(); 20];
    let mut sent = 0;
    while !enough.load(Ordering::Relaxed) {
        let server = Ipv4Addr::LOCALHOST.into();
        curl(netns, server, port, &requests, sent % 40 == 0).expect("curl");
        sent += requests.len();
    }
    sent
}

/// Ends the load also when an assertion fails.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn times(variable: &str, usual: usize) -> usize {
    let said = env::var(variable).ok();
    said.map_or(usual, |times| times.parse().expect("a number of times"))
}

fn start(port: u16) -> Observer {
    Observer::start(&["--http-port", &port.to_string()]).expect("observer")
}

/// Returns what it held just before.
fn kill_at_any_moment(port: u16) -> BTreeSet<Object> {
    let mut command = Command::new(observer::binary());
    command.args(["run", "--web.listen-address", "127.0.0.1:0", "--http-port"]);
    command
        .arg(port.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let process = Process::start(&mut command).expect("start");
    // Any moment is as good: this is what is tested, not waited for.
    thread::sleep(STARTED.mul_f64(fastrand::f64()));
    let held = bpf::held_by(process.pid());
    process.end(Signal::KILL).expect("kill");
    held
}

/// Returns what it held just before, and what it said.
fn stop_while_it_starts(port: u16) -> (BTreeSet<Object>, String) {
    let manager = Manager::new().expect("manager");
    let folder = tempfile::tempdir().expect("folder");
    let socket = folder.path().join("live.sock");
    let mut command = Command::new(observer::binary());
    command.args(["run", "--web.listen-address", "127.0.0.1:0", "--http-port"]);
    command
        .arg(port.to_string())
        .arg("--live-socket")
        .arg(&socket)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    manager.manage(&mut command, None);
    let mut process = Process::start(&mut command).expect("start");
    let mut stderr = process.child().stderr.take().expect("its log");
    process.until_handled(Signal::TERM).expect("handled");
    // Any moment is as good: this is what is tested, not waited for.
    thread::sleep(STARTING.mul_f64(fastrand::f64()));
    let held = bpf::held_by(process.pid());
    let (_, status) = process.end(Signal::TERM).expect("stop");
    let mut log = String::new();
    stderr.read_to_string(&mut log).expect("its log");
    assert_eq!(status.code(), Some(0), "{log}");
    manager.until("STOPPING=1").expect("stopping is told");
    assert!(!fs::exists(socket).expect("a folder"), "{log}");
    (held, log)
}

fn observed_something(observer: &Observer) {
    let total = |scrape: &tests::scrape::Scrape| scrape.sum("http_requests_total", &[]);
    observer
        .until(|scrape| total(scrape) > 0.0)
        .expect("the load is seen");
}

/// The kernel frees objects a grace period after their last user.
fn wait_until_gone(held: &BTreeSet<Object>) {
    let begun = Instant::now();
    loop {
        let left = bpf::existing(held).expect("bpftool");
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < GRACE, "still there: {left:?}");
    }
}

/// File systems such as we mount; others' namespaces come and go.
fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let ours = |line: &&str| {
        ["cgroup2", "tracefs"]
            .iter()
            .any(|kind| line.contains(kind))
    };
    text.lines().filter(ours).map(str::to_owned).collect()
}
