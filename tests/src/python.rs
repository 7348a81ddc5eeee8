//! Python's own HTTP server: HTTP/1.0, a connection for each request.

use std::fs;

use anyhow::Result;
use rustix::process::Signal;

use crate::{
    netns::Netns,
    server::{self, Row, Server},
};

/// Debian's, whatever else PATH has.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// A running `python3 -m http.server` that serves a folder.
pub struct Python(Server);

impl Python {
    /// Starts it inside `netns` on `port`, IPv4, with `files` (path and size).
    pub fn start(netns: &Netns, port: u16, files: &[(&str, usize)]) -> Result<Self> {
        let folder = server::folder(files)?;
        let mut command = netns.command(PYTHON);
        command
            .args(["-u", "-m", "http.server", "--bind", "0.0.0.0"])
            .arg("--directory")
            .arg(folder.path().join("www"))
            .arg(port.to_string());
        Server::start(netns, port, folder, &mut command).map(Self)
    }

    /// Ends it; a row is written before its answer. It logs no sizes.
    pub fn stop(self) -> Result<Vec<Row>> {
        let log = self.0.stop(Signal::TERM, "error.log")?;
        // The other lines explain an error that has a row of its own.
        let lines = log.lines().filter(|line| line.contains("] \""));
        server::rows(&lines.collect::<Vec<_>>().join("\n"), row)
    }
}

/// `127.0.0.1 - - [date] "GET / HTTP/1.1" 200 -`
fn row(line: &str) -> Option<Row> {
    let (_, rest) = line.split_once("] \"")?;
    let (request, status) = rest.rsplit_once("\" ")?;
    let mut words = request.split(' ');
    Some(Row {
        method: words.next()?.to_owned(),
        target: words.next()?.to_owned(),
        status: status.split(' ').next()?.parse().ok()?,
        complete: true,
        ..Row::default()
    })
}

/// A server that has one thread: while it answers, all others wait.
pub struct SlowPython(Server);

impl SlowPython {
    /// Starts it with a handler of so many milliseconds and an accept queue of so many.
    pub fn start(netns: &Netns, port: u16, milliseconds: u64, backlog: u32) -> Result<Self> {
        let folder = server::folder(&[])?;
        fs::write(folder.path().join("slow.py"), SLOW)?;
        let mut command = netns.command(PYTHON);
        command.args(["-u", "slow.py"]).args([
            port.to_string(),
            milliseconds.to_string(),
            backlog.to_string(),
        ]);
        Server::start(netns, port, folder, &mut command).map(Self)
    }

    /// Stops it as it is, and whoever waits waits on.
    pub fn pause(&self) -> Result<()> {
        self.0.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.0.signal(Signal::CONT)
    }

    /// Ends it and returns its log: a row is written before its answer.
    pub fn stop(self) -> Result<Vec<Row>> {
        let log = self.0.stop(Signal::TERM, "access.log")?;
        server::rows(&log, |line| Row::parse(line, |end| end == "OK"))
    }
}

/// `handled` is from the head read to the answer begun.
const SLOW: &str = r#"
import http.server, sys, time

port, milliseconds, backlog = map(int, sys.argv[1:])
log = open("access.log", "w", buffering=1)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        read = time.monotonic()
        time.sleep(milliseconds / 1000)
        answer = b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\ndone"
        handled = time.monotonic() - read
        log.write(f"GET\t{self.path}\t200\t4\tOK\t{handled}\n")
        self.wfile.write(answer)

class Server(http.server.HTTPServer):
    request_queue_size = backlog

Server(("0.0.0.0", port), Handler).serve_forever()
"#;
