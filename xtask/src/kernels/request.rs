//! What to run, and on which kernels: as typed, and as the rest of xtask asks for it.

use std::path::PathBuf;
use std::time::Duration;

/// Of a machine that hangs: emulated, on two busy cores, the check has taken more than 60.
const TIMEOUT_SECONDS: u64 = 180;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Kernels: version prefixes (5.10), full versions or `newest` [default: 5.10 6.1 newest]
    #[arg(value_name = "VERSION")]
    versions: Vec<String>,
    /// Put this file beside the program, in /test (repeatable)
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Leave tracefs unmounted
    #[arg(long)]
    no_tracefs: bool,
    /// Seconds until a machine is ended
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_SECONDS)]
    timeout: u64,
    /// Keep the logs and the initramfs also of machines that succeed
    #[arg(long)]
    keep: bool,
    /// Read the package lists again: is there a newer kernel?
    #[arg(long)]
    refresh: bool,
    /// The program, statically linked, and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<String>,
}

/// One program on some kernels.
pub(crate) struct KernelsRequest {
    /// As on the command line; empty for the default.
    pub(crate) versions: Vec<String>,
    pub(crate) binary: PathBuf,
    pub(crate) args: Vec<String>,
    /// They go beside the program, in its working directory `/test`.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) tracefs: bool,
    pub(crate) timeout: Duration,
    pub(crate) keep: bool,
    pub(crate) refresh: bool,
}

impl Default for KernelsRequest {
    fn default() -> Self {
        Self {
            versions: Vec::new(),
            binary: PathBuf::new(),
            args: Vec::new(),
            files: Vec::new(),
            tracefs: true,
            timeout: Duration::from_secs(TIMEOUT_SECONDS),
            keep: false,
            refresh: false,
        }
    }
}

impl From<Args> for KernelsRequest {
    fn from(args: Args) -> Self {
        let Args {
            versions,
            files,
            no_tracefs,
            timeout,
            keep,
            refresh,
            command,
        } = args;
        let mut words = command.into_iter();
        Self {
            versions,
            binary: words.next().unwrap_or_default().into(),
            args: words.collect(),
            files,
            tracefs: !no_tracefs,
            timeout: Duration::from_secs(timeout),
            keep,
            refresh,
        }
    }
}
