//! Viewers: as many as there may be, those that do not read, and the socket's own life.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use observer_user::live::{
    VIEWERS,
    client::Client,
    message::{Message, Request},
};
use tempfile::TempDir;
use tests::{
    observer::{self, Observer},
    require_root,
};

use crate::{command, snapshot};

const PORT: &str = "18303";

#[test]
fn one_viewer_too_many_is_told_so() {
    require_root();
    let observer = Observer::start(&["--http-port", PORT]).expect("observer");
    let socket = observer.live_socket().expect("a socket");
    let watch = Request::watch(1_000);
    let mut viewers: Vec<Client> = (0..VIEWERS)
        .map(|_| Client::ask(&socket, &watch).expect("watch"))
        .collect();
    for viewer in &mut viewers {
        let seen = viewer.hear().expect("a snapshot");
        assert!(matches!(seen, Some(Message::Snapshot(_))), "{seen:?}");
    }
    let all = |scrape: &tests::scrape::Scrape| scrape.sum("pxe_observer_viewers", &[]);
    observer
        .until(|scrape| all(scrape) == VIEWERS as f64)
        .expect("all of them");
    let refused = command(&socket, &["explain"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("16 others watch already: end one of them"),
        "{said}"
    );
    drop(viewers);
    observer.until(|scrape| all(scrape) == 0.0).expect("none");
    snapshot(&socket);
    observer.stop().expect("stop");
}

#[test]
fn who_does_not_read_misses_frames() {
    require_root();
    let observer = Observer::start(&["--http-port", PORT]).expect("observer");
    let socket = observer.live_socket().expect("a socket");
    let watch = Request::watch(250);
    let _sleeps = Client::ask(&socket, &watch).expect("watch");
    // The socket's buffer holds some.
    observer
        .until_within(
            Duration::from_secs(60),
            Duration::from_millis(250),
            |scrape| scrape.sum("pxe_observer_viewer_frames_missed_total", &[]) >= 2.0,
        )
        .expect("missed frames");
    // Nobody else waits.
    assert!(snapshot(&socket).healthy);
    observer.stop().expect("stop");
}

pub(crate) fn start_at(socket: &Path) -> Command {
    let mut command = Command::new(observer::binary());
    command.args([
        "run",
        "--web.listen-address",
        "127.0.0.1:0",
        "--http-port",
        PORT,
    ]);
    command.arg("--live-socket").arg(socket);
    command
}

#[test]
fn the_socket_is_gone_with_the_observer_and_replaced_where_it_was_killed() {
    require_root();
    let folder = TempDir::new().expect("a folder");
    let socket = folder.path().join("live.sock");
    let observer = Observer::start_command(&mut start_at(&socket)).expect("observer");
    let mode = fs::metadata(&socket).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // A second one at the same place is refused, and leaves it alone.
    let second = start_at(&socket)
        .stdin(Stdio::null())
        .output()
        .expect("start");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(
        said.contains("in use by another pxe-observer: stop it, or name"),
        "{said}"
    );
    snapshot(&socket);
    observer.kill().expect("kill");
    assert!(socket.exists(), "nothing could remove it");
    let nobody = command(&socket, &["explain"]);
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert_eq!(nobody.status.code(), Some(1), "{said}");
    assert!(said.contains("no observer at"), "{said}");
    let observer = Observer::start_command(&mut start_at(&socket)).expect("observer");
    snapshot(&socket);
    observer.stop().expect("stop");
    assert!(!socket.exists(), "it is removed");
}

#[test]
fn it_can_be_left_out() {
    require_root();
    let mut command = Command::new(observer::binary());
    command.args([
        "run",
        "--web.listen-address",
        "127.0.0.1:0",
        "--no-live-socket",
    ]);
    let observer = Observer::start_command(&mut command).expect("observer");
    observer.scrape().expect("scrape");
    observer.stop().expect("stop");
}
