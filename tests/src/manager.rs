//! Stands in for the service manager: what a daemon tells it (sd_notify(3)).

use std::{
    env, fs,
    io::ErrorKind,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A socket that a daemon tells its states to.
pub struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    /// Listens.
    pub fn new() -> Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pxeo-{}-{number}.notify", std::process::id());
        let path = env::temp_dir().join(name);
        let socket = UnixDatagram::bind(&path).context("bind the manager's socket")?;
        Ok(Self { socket, path })
    }

    /// The command tells this manager, and is watched if a time is given.
    pub fn manage(&self, command: &mut Command, watchdog: Option<Duration>) {
        command.env("NOTIFY_SOCKET", &self.path);
        if let Some(watchdog) = watchdog {
            command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        }
    }

    /// The next message; nothing if none comes in this time.
    pub fn next(&self, within: Duration) -> Result<Option<String>> {
        self.socket.set_read_timeout(Some(within))?;
        let mut message = [0; 4096];
        match self.socket.recv(&mut message) {
            Ok(length) => Ok(Some(
                String::from_utf8_lossy(&message[..length]).into_owned(),
            )),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).context("read what the manager is told"),
        }
    }

    /// The next message that says this, which has to come.
    pub fn until(&self, says: &str) -> Result<String> {
        const COMES: Duration = Duration::from_secs(20);
        loop {
            let message = self.next(COMES)?;
            let message = message.with_context(|| format!("never told: {says}"))?;
            if message.contains(says) {
                return Ok(message);
            }
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // The temporary folder is no place to fail over.
        let _ = fs::remove_file(&self.path);
    }
}
