//! The live socket of the real daemon.

mod alone;
mod rows;
mod top;
mod viewers;

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use observer_user::live::{
    client::Client,
    message::{Message, Request, Row, Snapshot},
};
use tests::observer;

/// A state that takes longer is never reached.
const REACHED: Duration = Duration::from_secs(20);

/// One snapshot.
fn snapshot(socket: &Path) -> Snapshot {
    match Client::once(socket, &Request::Snapshot).expect("a snapshot") {
        Message::Snapshot(snapshot) => *snapshot,
        other @ (Message::Hello(_)
        | Message::Recent(_)
        | Message::Unmatched(_)
        | Message::Refused(_)) => panic!("{other:?}"),
    }
}

/// Looks until there is a row for this path, and it is as it has to be.
fn until(socket: &Path, path: &str, reached: impl Fn(&Row) -> bool) -> Row {
    let request = Request::watch(250);
    let mut client = Client::ask(socket, &request).expect("watch");
    let begun = Instant::now();
    let mut seen = None;
    while begun.elapsed() < REACHED {
        let Some(Message::Snapshot(snapshot)) = client.hear().expect("a snapshot") else {
            panic!("no snapshot");
        };
        let mut rows = snapshot.rows.into_iter();
        seen = rows.find(|row| row.path == path);
        if let Some(row) = seen.as_ref().filter(|row| reached(row)) {
            return row.clone();
        }
    }
    panic!("never reached; it is {seen:#?}");
}

/// Runs `pxe-observer` against this socket to its end.
fn command(socket: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(observer::binary());
    command.args(args).arg("--live-socket").arg(socket);
    command.stdin(Stdio::null()).output().expect("start")
}

/// What it printed, if it succeeded.
fn printed(socket: &Path, args: &[&str]) -> String {
    let output = command(socket, args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}
