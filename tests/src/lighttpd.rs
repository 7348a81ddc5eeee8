//! A real lighttpd.

use std::{fs, path::Path};

use anyhow::Result;
use rustix::process::Signal;

use crate::{
    netns::Netns,
    server::{self, Row, Server},
};

/// A running lighttpd that serves a folder.
pub struct Lighttpd(Server);

impl Lighttpd {
    /// Starts it inside `netns` on `port`, IPv4, with `files` (path and size).
    pub fn start(netns: &Netns, port: u16, files: &[(&str, usize)]) -> Result<Self> {
        let folder = server::folder(files)?;
        let path = folder.path().join("lighttpd.conf");
        fs::write(&path, config(folder.path(), port))?;
        let mut command = netns.command("lighttpd");
        command.arg("-D").arg("-f").arg(path);
        Server::start(netns, port, folder, &mut command).map(Self)
    }

    /// Ends it after its last answer and returns its whole log.
    pub fn stop(self) -> Result<Vec<Row>> {
        let log = self.0.stop(Signal::INT, "access.log")?;
        server::rows(&log, |line| Row::parse(line, |end| end != "X"))
    }
}

fn config(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "server.port = {port}
server.bind = \"0.0.0.0\"
server.document-root = \"{folder}/www\"
server.errorlog = \"{folder}/error.log\"
server.modules = (\"mod_accesslog\")
server.max-keep-alive-requests = 65535
mimetype.assign = (\"\" => \"application/octet-stream\")
accesslog.filename = \"{folder}/access.log\"
accesslog.format = \"%m\t%U\t%s\t%b\t%X\"
"
    )
}
