//! A real nginx, unmodified.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::{
    netns::Netns,
    server::{self, Row, Server},
};

/// A running nginx that serves a folder.
pub struct Nginx(Server);

impl Nginx {
    /// Starts it inside `netns` on `port`, every address, with `files` (path and size).
    pub fn start(netns: &Netns, port: u16, files: &[(&str, usize)]) -> Result<Self> {
        let options = "sendfile on; keepalive_requests 100000;";
        Self::start_with(netns, port, server::folder(files)?, options)
    }

    /// Starts it with a folder of its own, and with these directives for `http`.
    pub fn start_with(netns: &Netns, port: u16, folder: TempDir, options: &str) -> Result<Self> {
        let path = folder.path().join("nginx.conf");
        fs::write(&path, config(folder.path(), port, options))?;
        let mut command = netns.command("nginx");
        command.arg("-c").arg(path).args(["-e", "stderr"]);
        command.process_group(0);
        Server::start(netns, port, folder, &mut command).map(Self)
    }

    /// Its first process.
    pub fn pid(&self) -> Pid {
        self.0.pid()
    }

    /// Where the files are that it serves.
    pub fn www(&self) -> PathBuf {
        self.0.www()
    }

    /// How long its workers have been on a CPU by now.
    pub fn cpu(&self) -> Result<Duration> {
        self.0.cpu()
    }

    /// Holds all its processes, or lets them go on.
    pub fn hold(&self, is_held: bool) -> Result<()> {
        self.0.hold(is_held)
    }

    /// Ends it after its last answer and returns its whole log.
    pub fn stop(self) -> Result<Vec<Row>> {
        let log = self.0.stop(Signal::QUIT, "access.log")?;
        server::rows(&log, |line| Row::parse(line, |end| end == "OK"))
    }
}

fn config(folder: &Path, port: u16, options: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    log_format truth '$request_method\\t$request_uri\\t$status\\t$body_bytes_sent\\t$request_completion';
    access_log {folder}/access.log truth buffer=256k;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    if_modified_since before;
    {options}
    server {{
        listen {port} backlog=4096;
        listen [::]:{port} backlog=4096;
        root {folder}/www;
        location /api/ {{ return 200 '{{\"ok\":true}}'; }}
    }}
}}
"
    )
}
