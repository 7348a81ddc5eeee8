//! A real Apache, as Debian builds it.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
};

use anyhow::Result;
use rustix::process::{Pid, Signal};

use crate::{
    netns::Netns,
    server::{self, Row, Server},
};

/// A running Apache that serves a folder.
pub struct Apache(Server);

impl Apache {
    /// Starts it inside `netns` on `port`, every address, with `files` (path and size).
    pub fn start(netns: &Netns, port: u16, files: &[(&str, usize)]) -> Result<Self> {
        Self::start_with(netns, port, files, "event", "KeepAlive On")
    }

    /// Starts it with so many worker processes, each of which has one connection at a time, for
    /// one request.
    pub fn start_prefork(
        netns: &Netns,
        port: u16,
        files: &[(&str, usize)],
        workers: u32,
    ) -> Result<Self> {
        let options = format!(
            "KeepAlive Off
ServerLimit {workers}
MaxRequestWorkers {workers}
StartServers {workers}
MinSpareServers {workers}
MaxSpareServers {workers}"
        );
        Self::start_with(netns, port, files, "prefork", &options)
    }

    fn start_with(
        netns: &Netns,
        port: u16,
        files: &[(&str, usize)],
        workers: &str,
        options: &str,
    ) -> Result<Self> {
        let folder = server::folder(files)?;
        let path = folder.path().join("apache.conf");
        fs::write(&path, config(folder.path(), port, workers, options))?;
        let mut command = netns.command("apache2");
        command.arg("-f").arg(path).arg("-DFOREGROUND");
        // It passes SIGTERM on to all of its group.
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

    /// Ends it after its last answer and returns its whole log.
    pub fn stop(self) -> Result<Vec<Row>> {
        // Apache's "stop gracefully".
        let log = self.0.stop(Signal::WINCH, "access.log")?;
        server::rows(&log, |line| Row::parse(line, |end| end != "X"))
    }
}

fn config(folder: &Path, port: u16, workers: &str, options: &str) -> String {
    let folder = folder.display();
    // %B is the body without chunk framing; no answer here is chunked.
    format!(
        "ServerName test
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
LoadModule mpm_{workers}_module /usr/lib/apache2/modules/mod_mpm_{workers}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User www-data
Group www-data
Listen {port}
{options}
MaxKeepAliveRequests 0
DocumentRoot {folder}/www
<Directory {folder}/www>
    Require all granted
</Directory>
LogFormat \"%m\t%U%q\t%>s\t%B\t%X\" truth
CustomLog {folder}/access.log truth
"
    )
}
