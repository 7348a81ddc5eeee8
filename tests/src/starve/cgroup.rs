//! Limits of a server's processes: the disk's, and the processor's.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Pid;

/// Where the hierarchies are, the unified one and those of version 1.
const ROOT: &str = "/sys/fs/cgroup";

/// A group of processes with a limit; they are free again when it is dropped.
pub(super) struct Limited {
    root: PathBuf,
    group: PathBuf,
}

/// What is limited.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit<'a> {
    /// Bytes a second that are read from the disk of this file or folder.
    Reads(u64, &'a Path),
    /// Thousandths of a processor.
    Processor(u32),
}

impl Limited {
    /// Puts processes in a group of their own.
    pub(super) fn new(limit: Limit<'_>, processes: &[Pid]) -> Result<Self> {
        let (old, unified) = match limit {
            Limit::Reads(..) => ("blkio", "io"),
            Limit::Processor(_) => ("cpu", "cpu"),
        };
        let is_old = Path::new(ROOT).join(old).join("cgroup.procs").exists();
        let root = if is_old {
            Path::new(ROOT).join(old)
        } else {
            PathBuf::from(ROOT)
        };
        ensure!(
            is_old || has_controller(&root, unified)?,
            "no control of {unified} by cgroups"
        );
        let group = root.join(format!("pxeo-{}-{old}", std::process::id()));
        fs::create_dir(&group).with_context(|| group.display().to_string())?;
        let limited = Self { root, group };
        for (file, value) in settings(limit, is_old)? {
            write(&limited.group.join(file), &value)?;
        }
        limited.hold(processes)?;
        Ok(limited)
    }

    fn hold(&self, processes: &[Pid]) -> Result<()> {
        processes.iter().try_for_each(|process| {
            let process = process.as_raw_nonzero().to_string();
            write(&self.group.join("cgroup.procs"), &process)
        })
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let held = fs::read_to_string(self.group.join("cgroup.procs")).unwrap_or_default();
        for process in held.lines() {
            // It may have ended meanwhile.
            let _ = write(&self.root.join("cgroup.procs"), process);
        }
        if let Err(error) = fs::remove_dir(&self.group) {
            eprintln!("{} stays behind: {error}", self.group.display());
        }
    }
}

/// Whether groups below this one may have this limit, as they are.
fn has_controller(root: &Path, name: &str) -> Result<bool> {
    let path = root.join("cgroup.subtree_control");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.split_whitespace().any(|found| found == name))
}

/// Files of a group and what is written there.
fn settings(limit: Limit<'_>, is_old: bool) -> Result<Vec<(&'static str, String)>> {
    const PERIOD: u32 = 100_000;
    Ok(match (limit, is_old) {
        (Limit::Reads(rate, path), true) => {
            let value = format!("{} {rate}", disk_of(path)?);
            vec![("blkio.throttle.read_bps_device", value)]
        }
        (Limit::Reads(rate, path), false) => {
            vec![("io.max", format!("{} rbps={rate}", disk_of(path)?))]
        }
        (Limit::Processor(part), true) => vec![
            ("cpu.cfs_period_us", PERIOD.to_string()),
            ("cpu.cfs_quota_us", (PERIOD / 1_000 * part).to_string()),
        ],
        (Limit::Processor(part), false) => {
            vec![("cpu.max", format!("{} {PERIOD}", PERIOD / 1_000 * part))]
        }
    })
}

/// The whole disk of a file, as `major:minor`: partitions have no limits.
fn disk_of(path: &Path) -> Result<String> {
    let device = fs::metadata(path)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let of_device = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    ensure!(of_device.exists(), "{} is on no disk", path.display());
    if of_device.join("partition").exists() {
        let whole = fs::canonicalize(&of_device)?.join("../dev");
        let text = fs::read_to_string(&whole).with_context(|| whole.display().to_string())?;
        return Ok(text.trim().to_owned());
    }
    Ok(format!("{major}:{minor}"))
}

fn write(path: &Path, value: &str) -> Result<()> {
    fs::write(path, value).with_context(|| format!("write {value} to {}", path.display()))
}
