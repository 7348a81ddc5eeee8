//! `pxe-observer top` in a real terminal.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tests::{
    client,
    netns::Netns,
    nginx::Nginx,
    observer::{self, Observer},
    process, require_root,
    tmux::Tmux,
};

use crate::{command, printed, viewers::start_at};

const PORT: u16 = 18_304;
const IMAGE: &str = "/images/top-test.raw";
/// More than socket buffers hold.
const SIZE: usize = 64 << 20;

fn top(tmux: &Tmux, socket: &Path) {
    let line = format!(
        "{} top --live-socket {}",
        observer::binary().display(),
        socket.display()
    );
    tmux.keys(&[&line, "Enter"]).expect("type");
}

/// The terminal is as it was: no other screen, a cursor, and what is typed is shown.
pub(crate) fn is_given_back(tmux: &Tmux) {
    tmux.until(|_| {
        tmux.says("#{alternate_on} #{cursor_flag}")
            .is_ok_and(|said| said == "0 1")
    })
    .expect("the screen");
    tmux.keys(&["stty -a | tr ' ' '_'", "Enter"]).expect("type");
    tmux.until(|text| text.contains("_icanon_") && text.contains("_echo_"))
        .expect("the line discipline");
    tmux.keys(&["clear", "Enter"]).expect("type");
    tmux.until(|text| text.trim_end() == "ready>")
        .expect("a shell");
}

/// What the terminal's shell runs.
pub(crate) fn child(tmux: &Tmux) -> Pid {
    let shell = tmux.says("#{pane_pid}").expect("said");
    let shell = Pid::from_raw(shell.parse().expect("a number")).expect("a process");
    *process::children(shell)
        .expect("children")
        .first()
        .expect("one")
}

#[test]
fn it_is_steered_by_keys_and_gives_the_terminal_back() {
    require_root();
    let server = Netns::new("srv").expect("netns");
    let nginx = Nginx::start(&server, PORT, &[(IMAGE, SIZE)]).expect("nginx");
    let port = PORT.to_string();
    // Others' transfers at port 69 are none of ours.
    let args = [
        "--http-port",
        &port,
        "--tftp-port",
        "18305",
        "--stalled-after",
        "1",
        "--profile",
        "dragonfly",
    ];
    let observer = Observer::start(&args).expect("observer");
    let socket = observer.live_socket().expect("a socket");
    let begin = || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let mut stream = client::ask(address, IMAGE).expect("ask");
        stream.read_exact(&mut vec![0; 512]).expect("first bytes");
        stream
    };
    let _stream = server.inside(begin).expect("inside");
    let tmux = Tmux::start(100, 30).expect("tmux");
    top(&tmux, &socket);
    let until = |what: &str| tmux.until(|text| text.contains(what)).expect(what);
    until("1 in flight");
    until("tcp 18304: 0 of");
    tmux.keys(&["2"]).expect("type");
    let stalled = tmux.until(|text| {
        text.contains("[2 Transfers]") && text.contains(">!127.0.0.1") && text.contains(IMAGE)
    });
    assert!(stalled.expect("the row").contains("!client_window"));
    tmux.keys(&["Enter"]).expect("type");
    let more = format!("bytes of {SIZE}, status 200");
    until(&more);
    tmux.keys(&["Enter"]).expect("type");
    tmux.until(|text| !text.contains(&more)).expect("less");
    tmux.keys(&["/", "nothing-of-that-name", "Enter"])
        .expect("type");
    until("nothing matches the filter");
    tmux.keys(&["Escape"]).expect("type");
    until(IMAGE);
    tmux.resize(60, 12).expect("resize");
    tmux.until(|text| text.contains("[2 Tr]"))
        .expect("the smaller one");
    tmux.resize(100, 30).expect("resize");
    until("[2 Transfers]");
    tmux.keys(&["Space"]).expect("type");
    until("[PAUSED");
    tmux.keys(&["Space", "?"]).expect("type");
    until("any key goes back");
    tmux.keys(&["x", "C-z"]).expect("type");
    until("Stopped");
    is_given_back(&tmux);
    tmux.keys(&["fg", "Enter"]).expect("type");
    until("[2 Transfers]");
    assert_eq!(tmux.says("#{alternate_on}").expect("said"), "1");
    tmux.keys(&["q"]).expect("type");
    is_given_back(&tmux);
    once(&socket);
    observer.stop().expect("stop");
    drop(nginx);
}

fn once(socket: &Path) {
    let said = printed(socket, &["top", "--once"]);
    assert!(
        said.contains("1 in flight") && said.contains(IMAGE),
        "{said}"
    );
    let json = printed(socket, &["top", "--once", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["rows"][0]["path"], IMAGE);
    let refused = command(socket, &["top"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("needs a terminal: use `pxe-observer top --once`"),
        "{said}"
    );
}

#[test]
fn an_observer_that_dies_and_comes_back_is_found_again() {
    require_root();
    let folder = TempDir::new().expect("a folder");
    let socket = folder.path().join("live.sock");
    let tmux = Tmux::start(100, 30).expect("tmux");
    top(&tmux, &socket);
    let until = |what: &str| tmux.until(|text| text.contains(what)).expect(what);
    until("! no observer, trying again: no observer at");
    let observer = Observer::start_command(&mut start_at(&socket)).expect("observer");
    until("0 in flight");
    observer.kill().expect("kill");
    until("trying again");
    let observer = Observer::start_command(&mut start_at(&socket)).expect("observer");
    until("0 in flight");
    // Whoever ends it, the terminal is given back.
    kill_process(child(&tmux), Signal::TERM).expect("end it");
    is_given_back(&tmux);
    observer.stop().expect("stop");
}

#[test]
fn a_panic_gives_the_terminal_back_and_can_be_read() {
    require_root();
    let folder = TempDir::new().expect("a folder");
    let tmux = Tmux::start(100, 30).expect("tmux");
    let line = format!(
        "{} top --panic-after 1 --live-socket {}; echo code=$?",
        observer::binary().display(),
        folder.path().join("live.sock").display()
    );
    tmux.keys(&[&line, "Enter"]).expect("type");
    tmux.until(|text| text.contains("asked to panic") && text.contains("\ncode=101"))
        .expect("the message");
    is_given_back(&tmux);
}
