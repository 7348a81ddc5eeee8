//! Faults, each with the result that docs/faults.md states.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    os::fd::OwnedFd,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tests::{
    client::{self, curl},
    netns::Netns,
    nginx::Nginx,
    observer::{self, Observer},
    process::Process,
    require_root,
};

/// Many times what a start takes.
const STARTED: Duration = Duration::from_secs(10);

#[test]
fn without_memory_for_its_maps_it_says_so_and_what_to_do() {
    require_root();
    let folder = tempfile::tempdir().expect("folder");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=bpf"]);
    // Behind what is asked of the kernel before the first map.
    strace.args(["-e", "inject=bpf:error=ENOMEM:when=24+", "-o"]);
    strace
        .arg(folder.path().join("trace"))
        .arg(observer::binary());
    strace.args([
        "run",
        "--web.listen-address",
        "127.0.0.1:0",
        "--live-socket",
    ]);
    // Not the host's own, which another observer may have: that is a line, too.
    strace.arg(folder.path().join("live.sock"));
    let output = strace.stdin(Stdio::null()).output().expect("strace");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "Cannot allocate memory (os error 12)",
        "raise the limit, or lower --max-connections",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// Runs it with this standard error, and has it scraped, reload and stop.
fn lives_with(stderr: impl Into<Stdio>, port: &str) {
    let mut command = Command::new(observer::binary());
    command.args(["run", "--http-port", "18261", "--web.listen-address"]);
    let address = format!("127.0.0.1:{port}");
    command.arg(&address).stdin(Stdio::null()).stderr(stderr);
    let process = Process::start(&mut command).expect("start");
    let address = address.parse().expect("an address");
    let begun = Instant::now();
    let is_ok = || client::get(address, "/healthz").is_ok_and(|said| said.contains(" 200 OK"));
    while !is_ok() {
        assert!(begun.elapsed() < STARTED, "it does not observe");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Which it says.
    process.signal(Signal::HUP).expect("reload");
    let reloaded = || {
        let health = client::get(address, "/healthz?verbose").expect("an answer");
        health.contains("configuration reloaded")
    };
    while !reloaded() {
        assert!(begun.elapsed() < STARTED, "it does not reload");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (_, status) = process.end(Signal::TERM).expect("stop");
    assert!(status.success(), "{status}");
}

#[test]
fn who_cannot_say_anything_observes_nevertheless() {
    require_root();
    let full = OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("open");
    lives_with(full, "18262");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    lives_with(OwnedFd::from(writer), "18263");
    // Closed, and opened for reading: no write succeeds.
    lives_with(File::open("/dev/null").expect("open"), "18264");
}

#[test]
fn a_thousand_idle_connections_keep_no_scraper_out() {
    require_root();
    let observer = Observer::start(&["--http-port", "18265"]).expect("observer");
    let before = observer.descriptors().expect("procfs");
    let connect = |_| TcpStream::connect(observer.address()).expect("connect");
    let held: Vec<TcpStream> = (0..1_000).map(connect).collect();
    observer.scrape().expect("scrape");
    let open = observer.descriptors().expect("procfs");
    assert!(
        open <= before + 64 + 8,
        "{open} descriptors, {before} before"
    );
    drop(held);
    observer.stop().expect("stop");
}

#[test]
fn ten_megabytes_of_headers_are_refused_unread() {
    require_root();
    let observer = Observer::start(&["--http-port", "18266"]).expect("observer");
    let mut stream = TcpStream::connect(observer.address()).expect("connect");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        .expect("begin");
    let line = format!("X-Long: {}\r\n", "x".repeat(8_000));
    let taken = (0..10 * 1024 * 1024 / line.len())
        .take_while(|_| stream.write_all(line.as_bytes()).is_ok())
        .count();
    // What is refused may be reset before the answer is read.
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 431 ");
    assert!(is_refused, "{answer}, {taken} lines taken");
    let resident =
        |scrape: &tests::scrape::Scrape| scrape.sum("process_resident_memory_bytes", &[]);
    assert!(resident(&observer.scrape().expect("scrape")) < 128e6);
    observer.stop().expect("stop");
}

/// They read a byte now and then; each holds one of the places, until others need it.
#[test]
fn scrapers_that_hardly_read_keep_no_scraper_out() {
    require_root();
    let observer = Observer::start(&["--http-port", "18267"]).expect("observer");
    let slow = |_| {
        let mut stream = client::ask(observer.address(), "/metrics").expect("ask");
        stream.read_exact(&mut [0]).expect("a byte");
        stream
    };
    let held: Vec<TcpStream> = (0..70).map(slow).collect();
    observer.scrape().expect("scrape");
    drop(held);
    observer.stop().expect("stop");
}

/// Requests are seen at the root, whatever cgroup their sockets are of.
#[test]
fn a_cgroup_that_is_removed_takes_nothing_with_it() {
    require_root();
    const PORT: u16 = 18_268;
    let netns = Netns::new("cgroup").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &[("/vmlinuz", 1_000)]).expect("nginx");
    let observer = Observer::start(&["--http-port", &PORT.to_string()]).expect("observer");
    let counted = |count: f64| {
        let total = |scrape: &tests::scrape::Scrape| scrape.sum("http_requests_total", &[]);
        observer
            .until(|scrape| total(scrape) == count)
            .expect("counted");
    };
    let script = format!(
        "set -e; mount -t cgroup2 none \"$1\"; mkdir \"$1/pxeo-gone-$$\"
        sh -c 'echo $$ > \"$1/cgroup.procs\"; exec curl -s -o /dev/null http://127.0.0.1:{PORT}/vmlinuz' sh \"$1/pxeo-gone-$$\"
        rmdir \"$1/pxeo-gone-$$\""
    );
    let folder = tempfile::tempdir().expect("folder");
    let mut command = netns.command("unshare");
    command
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(folder.path());
    tests::process::run(&mut command).expect("a request from a cgroup that is gone");
    counted(1.0);
    let requests = [("GET", "/vmlinuz").into()];
    curl(&netns, Ipv4Addr::LOCALHOST.into(), PORT, &requests, false).expect("curl");
    counted(2.0);
    observer.stop().expect("stop");
    assert_eq!(nginx.stop().expect("log").len(), 2);
    assert!(!fs::exists(folder.path().join("pxeo-gone")).expect("a folder"));
}
