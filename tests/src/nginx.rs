//! A real nginx, unmodified, whose access log is the ground truth.

use std::{
    fs,
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{netns::Netns, process::Process};

/// A running nginx that serves a folder.
pub struct Nginx {
    process: Process,
    folder: TempDir,
}

/// A row of the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// As in the request line.
    pub method: String,
    /// As in the request line.
    pub target: String,
    /// What was sent.
    pub status: u16,
    /// `OK` if the response was completed.
    pub completion: String,
}

const LISTENING: Duration = Duration::from_secs(10);

impl Nginx {
    /// Starts it inside `netns` on `port`, every address, with `files` (path and size).
    pub fn start(netns: &Netns, port: u16, files: &[(&str, usize)]) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for nginx")?;
        for (path, size) in files {
            let path = folder.path().join("www").join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            fs::write(&path, vec![b'x'; *size])
                .with_context(|| format!("write {}", path.display()))?;
        }
        open_to_workers(folder.path())?;
        fs::write(
            folder.path().join("nginx.conf"),
            config(folder.path(), port),
        )?;
        let process = Process::start(
            netns
                .command("nginx")
                .arg("-c")
                .arg(folder.path().join("nginx.conf"))
                .args(["-e", "stderr"])
                .stdout(Stdio::null())
                .stderr(fs::File::create(folder.path().join("error.log"))?),
        )?;
        let nginx = Self { process, folder };
        nginx.wait_until_it_listens(netns, port)?;
        Ok(nginx)
    }

    /// Ends it after its last answer and returns its whole log.
    pub fn stop(self) -> Result<Vec<Row>> {
        let Self { process, folder } = self;
        process.end(Signal::QUIT)?;
        let log = fs::read_to_string(folder.path().join("access.log"))
            .context("read nginx's access log")?;
        log.lines()
            .map(|line| row(line).with_context(|| format!("access log: {line}")))
            .collect()
    }

    fn wait_until_it_listens(&self, netns: &Netns, port: u16) -> Result<()> {
        netns.inside(|| {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let begun = Instant::now();
            loop {
                match TcpStream::connect(address) {
                    Ok(_) => return Ok(()),
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error).context("connect to nginx"),
                }
                ensure!(
                    begun.elapsed() < LISTENING,
                    "nginx does not listen: {}",
                    fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
                );
                std::thread::yield_now();
            }
        })?
    }
}

/// nginx's workers are not root.
fn open_to_workers(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).context("open nginx's folder")
}

fn config(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    log_format truth '$request_method\\t$request_uri\\t$status\\t$request_completion';
    access_log {folder}/access.log truth buffer=256k;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    sendfile on;
    keepalive_requests 100000;
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

fn row(line: &str) -> Option<Row> {
    let mut columns = line.split('\t');
    Some(Row {
        method: columns.next()?.to_owned(),
        target: columns.next()?.to_owned(),
        status: columns.next()?.parse().ok()?,
        completion: columns.next()?.to_owned(),
    })
}
