//! Real TFTP servers, as Debian builds them.

use std::{
    env,
    fs::{self, File},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::{
    netns::Netns,
    process::Process,
    server::{self, folder},
};

/// Where dnsmasq reads requests, always.
pub const PORT: u16 = 69;
const LISTENING: Duration = Duration::from_secs(10);
const LOG: &str = "server.log";

/// A running server that serves a folder, and takes files where the program does.
pub struct Server {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl Server {
    /// dnsmasq inside `netns` on [`PORT`], every address, with `files` (path and size) and with
    /// these options, such as `--tftp-single-port` or `--tftp-max=10`.
    pub fn dnsmasq(netns: &Netns, files: &[(&str, usize)], options: &[&str]) -> Result<Self> {
        let folder = folder(files)?;
        let mut command = netns.command("dnsmasq");
        command
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0"])
            .args(["--user=root", "--pid-file=", "--log-facility=-"])
            .arg("--enable-tftp")
            .arg(format!("--tftp-root={}", www(&folder).display()))
            .args(options);
        Self::start(netns, PORT, folder, &mut command, &["udp", "udp6"])
    }

    /// tftpd-hpa inside `netns` on `port`, every address; new files may be written.
    pub fn tftp_hpa(netns: &Netns, port: u16, files: &[(&str, usize)]) -> Result<Self> {
        let folder = folder(files)?;
        let mut command = netns.command("in.tftpd");
        command
            .args(["--listen", "--foreground", "--create", "--permissive"])
            .args(["--secure", "--user", "nobody", "--address"])
            .arg(format!(":{port}"))
            .arg(www(&folder));
        Self::start(netns, port, folder, &mut command, &["udp", "udp6"])
    }

    /// atftpd inside `netns` on `port`, IPv4; new files may be written.
    pub fn atftpd(netns: &Netns, port: u16, files: &[(&str, usize)]) -> Result<Self> {
        let folder = folder(files)?;
        let mut command = netns.command(&atftpd().display().to_string());
        command
            .args(["--daemon", "--no-fork", "--logfile", "-"])
            .args(["--user", "nobody.nogroup", "--port", &port.to_string()])
            .arg(www(&folder));
        Self::start(netns, port, folder, &mut command, &["udp"])
    }

    /// Where it reads requests.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its first process.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Sends its first process a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Holds all its processes, or lets them go on.
    pub fn hold(&self, is_held: bool) -> Result<()> {
        server::hold(&self.process, is_held)
    }

    /// The folder it serves.
    pub fn root(&self) -> PathBuf {
        www(&self.folder)
    }

    fn start(
        netns: &Netns,
        port: u16,
        folder: TempDir,
        command: &mut Command,
        tables: &[&str],
    ) -> Result<Self> {
        // Whoever it runs as may write there.
        fs::set_permissions(www(&folder), fs::Permissions::from_mode(0o777))?;
        let log = File::create(folder.path().join(LOG))?;
        command
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let process = Process::start(command)?;
        let mut server = Self {
            process,
            folder,
            port,
        };
        server.wait_until_it_listens(netns, tables)?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self, netns: &Netns, tables: &[&str]) -> Result<()> {
        let begun = Instant::now();
        while !netns.inside(|| listens(self.port, tables))?? {
            let said = || fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default();
            if let Some(status) = self.process.child().try_wait()? {
                bail!("it ended: {status}: {}", said());
            }
            ensure!(
                begun.elapsed() < LISTENING,
                "it does not listen: {}",
                said()
            );
            // It needs the processor that this would spin on.
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Server {
    /// With the processes of the transfers, which outlive tftpd-hpa's first.
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = kill_process_group(self.process.pid(), Signal::TERM);
    }
}

/// Whether each of these tables of the thread's namespace has a socket on the port.
fn listens(port: u16, tables: &[&str]) -> Result<bool> {
    let local = format!(":{port:04X}");
    for table in tables {
        let path = Path::new("/proc/thread-self/net").join(table);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let mut locals = text
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1));
        if !locals.any(|found| found.ends_with(&local)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn www(folder: &TempDir) -> PathBuf {
    folder.path().join("www")
}

/// `ATFTPD`, or where `cargo xtask test` unpacks it: Debian's package does not go with tftpd-hpa's.
fn atftpd() -> PathBuf {
    let unpacked = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/peers/atftpd/usr/sbin/atftpd"
    );
    let path = env::var_os("ATFTPD").map_or_else(|| PathBuf::from(unpacked), PathBuf::from);
    assert!(
        path.exists(),
        "{} is not there: `cargo xtask test` unpacks it, or ATFTPD says where it is",
        path.display()
    );
    path
}
