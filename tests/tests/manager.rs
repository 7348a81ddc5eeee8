//! What the service manager is told, and when it no longer is.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use tests::{
    client,
    manager::Manager,
    observer::{self, Observer},
    process::Process,
    require_root,
};

/// What a manager gives the daemon between two signs of life.
const WATCHDOG: Duration = Duration::from_secs(2);
/// How long events may go undrained before that is a fault.
const STALE: Duration = Duration::from_secs(5);

fn command(manager: &Manager, watchdog: Option<Duration>, arguments: &[&str]) -> Command {
    let mut command = Command::new(observer::binary());
    command.args(["run", "--web.listen-address", "127.0.0.1:0"]);
    manager.manage(command.args(arguments), watchdog);
    command
}

fn start(manager: &Manager, watchdog: Option<Duration>, arguments: &[&str]) -> Observer {
    Observer::start_command(&mut command(manager, watchdog, arguments)).expect("observer")
}

#[test]
fn it_tells_when_it_is_ready_reloads_and_stops() {
    require_root();
    let manager = Manager::new().expect("manager");
    let observer = start(&manager, None, &["--http-port", "18231"]);
    let ready = manager.until("READY=1").expect("ready");
    let status = format!(
        "STATUS=observing with 5 of 5 probes; http://{}/metrics",
        observer.address()
    );
    assert!(ready.contains(&status), "{ready}");
    // It is: whoever is told so can scrape at once.
    observer.scrape().expect("scrape");
    observer.signal(Signal::HUP).expect("reload");
    let reloading = manager.until("RELOADING=1").expect("reloading");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.until("READY=1").expect("ready again");
    let (_, status, _) = observer.stop().expect("stop");
    assert!(status.success());
    let stopping = manager.until("STOPPING=1").expect("stopping");
    assert!(stopping.contains("STATUS=draining once more"), "{stopping}");
}

/// It neither ends it nor has the verifier give a program up.
#[test]
fn a_reload_asked_for_while_it_starts_is_done_once_it_has() {
    require_root();
    let manager = Manager::new().expect("manager");
    let mut command = command(&manager, None, &["--http-port", "18233"]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let process = Process::start(&mut command).expect("start");
    process.until_handled(Signal::HUP).expect("handled");
    process.signal(Signal::HUP).expect("reload");
    let ready = manager.until("READY=1").expect("ready");
    assert!(ready.contains("with 5 of 5 probes"), "{ready}");
    manager.until("RELOADING=1").expect("reloading");
    manager.until("READY=1").expect("ready again");
    let (_, status) = process.end(Signal::TERM).expect("stop");
    assert!(status.success(), "{status}");
}

#[test]
fn it_pings_the_watchdog_until_the_drain_loop_stands_still() {
    require_root();
    let manager = Manager::new().expect("manager");
    let wedge = ["--http-port", "18232", "--wedge-after", "4"];
    let observer = start(&manager, Some(WATCHDOG), &wedge);
    for _ in 0..3 {
        manager.until("WATCHDOG=1").expect("it is alive");
    }
    // Many times what it sends before it stands still.
    let next = || manager.next(WATCHDOG).expect("a message");
    let pings = (0..50).map_while(|_| next()).count();
    assert!(pings < 50, "it is said to be alive for ever");
    let silent = manager.next(STALE).expect("no message");
    assert!(silent.is_none(), "{silent:?}");
    for (path, status) in [
        ("/livez", "200 OK"),
        ("/healthz", "503 Service Unavailable"),
    ] {
        let health = client::get(observer.address(), path).expect("it still serves");
        assert!(
            health.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{health}"
        );
    }
    let (_, status, log) = observer.stop().expect("it ends nevertheless");
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("stopped without a last drain"), "{log}");
}
