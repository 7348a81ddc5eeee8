//! `pxe-observer top` where no daemon runs: it observes by itself, and leaves nothing behind.

use std::{
    fs,
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::{bpf, client, netns::Netns, nginx::Nginx, observer, require_root, tmux::Tmux};

use crate::{
    REACHED,
    top::{child, is_given_back},
};

const IMAGE: &str = "/images/alone-test.raw";
/// More than socket buffers hold.
const SIZE: usize = 64 << 20;
/// Between requests, while it is not known who sees them.
const BETWEEN: Duration = Duration::from_millis(100);
/// Where nobody else's daemon is at the default socket.
const NO_DAEMON: &str = "mount -t tmpfs none /run && exec \"$@\"";
const OBSERVES: &str = "no daemon: observing by itself";

/// What is asked for at this port only: others' transfers at port 69 are none of ours.
fn arguments(port: u16) -> [String; 6] {
    let arguments = [
        "top",
        "--http-port",
        &port.to_string(),
        "--tftp-port",
        "18307",
        "--stalled-after=1",
    ];
    arguments.map(str::to_owned)
}

fn alone() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", NO_DAEMON, "sh"]);
    command.stdin(Stdio::null());
    command
}

fn begin(server: &Netns, port: u16) -> TcpStream {
    let begin = || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = client::ask(address, IMAGE).expect("ask");
        stream.read_exact(&mut vec![0; 512]).expect("first bytes");
        stream
    };
    server.inside(begin).expect("inside")
}

#[test]
fn once_it_tells_of_requests_since_it_began() {
    const PORT: u16 = 18_306;
    require_root();
    let server = Netns::new("srv").expect("netns");
    let nginx = Nginx::start(&server, PORT, &[(IMAGE, SIZE)]).expect("nginx");
    let mut top = alone();
    top.arg(observer::binary()).args(arguments(PORT));
    top.args(["--once", "--json"]);
    let printing = thread::spawn(move || top.output().expect("start"));
    let mut streams = Vec::new();
    while !printing.is_finished() {
        streams.push(begin(&server, PORT));
        thread::sleep(BETWEEN);
    }
    let printed = printing.join().expect("printed");
    let said = String::from_utf8_lossy(&printed.stderr);
    assert!(
        printed.status.success() && said.contains(OBSERVES),
        "{said}"
    );
    let snapshot: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    let rows = snapshot["rows"].as_array().expect("rows");
    assert!(rows.iter().any(|row| row["path"] == IMAGE), "{snapshot}");
    let uptime = snapshot["uptime_s"].as_f64().expect("a number");
    assert!(uptime >= 1.0, "an interval: {uptime}");
    drop(streams);
    nginx.stop().expect("log");
}

#[test]
fn on_a_terminal_it_observes_until_it_is_quit() {
    const PORT: u16 = 18_308;
    require_root();
    let server = Netns::new("srv").expect("netns");
    let nginx = Nginx::start(&server, PORT, &[(IMAGE, SIZE)]).expect("nginx");
    let tmux = Tmux::start(100, 30).expect("tmux");
    let binary = observer::binary().display().to_string();
    let line = format!(
        "unshare --mount sh -c '{NO_DAEMON}' sh {binary} {}",
        arguments(PORT).join(" ")
    );
    tmux.keys(&[&line, "Enter"]).expect("type");
    let until = |what: &str| tmux.until(|text| text.contains(what)).expect(what);
    until("0 in flight");
    assert!(until(OBSERVES).contains("[1 Overview]"));
    let stream = begin(&server, PORT);
    until("1 in flight");
    tmux.keys(&["2"]).expect("type");
    until(IMAGE);
    // Confined as it is.
    tmux.keys(&["C-z"]).expect("type");
    until("Stopped");
    is_given_back(&tmux);
    tmux.keys(&["fg", "Enter"]).expect("type");
    until(IMAGE);
    let top = child(&tmux);
    let status = fs::read_to_string(format!("/proc/{}/status", top.as_raw_nonzero()));
    assert!(status.expect("its status").contains("Seccomp:\t2"));
    let held = bpf::held_by(top);
    assert!(held.len() > 20, "{held:?}");
    assert_eq!(bpf::existing(&held).expect("bpftool"), held);
    tmux.keys(&["q"]).expect("type");
    is_given_back(&tmux);
    let begun = Instant::now();
    while !bpf::existing(&held).expect("bpftool").is_empty() {
        assert!(begun.elapsed() < REACHED, "still there: {held:?}");
    }
    drop(stream);
    nginx.stop().expect("log");
}

#[test]
fn without_root_it_names_both_ways() {
    require_root();
    let folder = tempfile::tempdir().expect("folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let copy = folder.path().join("pxe-observer");
    fs::copy(observer::binary(), &copy).expect("copy");
    let mut top = alone();
    top.args(["setpriv", "--reuid", "65534", "--regid", "65534"]);
    top.arg("--clear-groups").arg(copy).args(["top", "--once"]);
    let refused = top.output().expect("start");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for way in [
        "start `pxe-observer run`",
        "run it as root, or grant CAP_BPF",
    ] {
        assert!(said.contains(way), "{said}");
    }
    assert_eq!(said.lines().count(), 1, "{said}");
}
