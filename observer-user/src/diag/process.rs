//! This process, as procfs has it.

use std::time::Duration;

use procfs::{ProcResult, process};

/// What it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Processor time, user and kernel.
    pub cpu: Duration,
    /// Memory in use.
    pub resident_bytes: u64,
    /// Open descriptors.
    pub open_fds: u64,
    /// Descriptors that can be open; 0 for any number.
    pub max_fds: u64,
    /// When it started, since 1970.
    pub started: Duration,
}

impl Process {
    /// Reads it.
    pub fn read() -> ProcResult<Self> {
        let myself = process::Process::myself()?;
        let stat = myself.stat()?;
        let ticks = |ticks: u64| Duration::from_millis(ticks * 1000 / procfs::ticks_per_second());
        let max_fds = match myself.limits()?.max_open_files.soft_limit {
            process::LimitValue::Value(most) => most,
            process::LimitValue::Unlimited => 0,
        };
        Ok(Self {
            cpu: ticks(stat.utime + stat.stime),
            resident_bytes: stat.rss * procfs::page_size(),
            open_fds: myself.fd_count()? as u64,
            max_fds,
            started: Duration::from_secs(procfs::boot_time_secs()?) + ticks(stat.starttime),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        time::{SystemTime, UNIX_EPOCH},
    };

    use super::*;

    #[test]
    fn it_is_this_process() {
        let before = Process::read().expect("procfs");
        let files: Vec<File> = (0..10)
            .map(|_| File::open("/proc/self/stat").expect("open"))
            .collect();
        let after = Process::read().expect("procfs");
        // Other tests open and close theirs.
        assert!(after.open_fds >= files.len() as u64);
        assert!(after.max_fds >= after.open_fds);
        assert!(after.cpu >= before.cpu && after.resident_bytes > 1 << 20);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        let age = now.saturating_sub(after.started);
        // Seconds of the boot are whole, and clocks are set.
        assert!(age < Duration::from_secs(3600), "{age:?}");
    }
}
