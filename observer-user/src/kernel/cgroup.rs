//! The root of the cgroup2 hierarchy: programs attached there see every socket of the host.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use rustix::{
    fs::{Mode, OFlags, fstat, open, openat},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

/// The inode of the true root; a cgroup namespace shows another one as its `/`.
const ROOT_INODE: u64 = 1;

/// Opens the root cgroup, where it is mounted or through a mount that no path leads to and
/// that ends with its descriptor.
pub fn root() -> Result<OwnedFd> {
    let root = match mounted()? {
        Some(path) => open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .with_context(|| format!("open the cgroup2 mount at {path}"))?,
        None => mounted_privately().context(
            "no cgroup2 file system is mounted and mounting one privately failed: \
             `mount -t cgroup2 none /sys/fs/cgroup` fixes it, if the kernel has CONFIG_CGROUPS and CONFIG_CGROUP_BPF",
        )?,
    };
    let inode = fstat(&root).context("stat the root cgroup")?.st_ino;
    ensure!(
        inode == ROOT_INODE,
        "the cgroup2 hierarchy seen here begins at a cgroup namespace's root (inode {inode}), not at the host's: \
         start pxe-observer in the host's cgroup namespace (containers: --cgroupns=host)"
    );
    Ok(root)
}

/// Where cgroup2 is mounted whole, by the mount table.
fn mounted() -> Result<Option<String>> {
    let mounts = procfs::process::Process::myself()
        .and_then(|me| me.mountinfo())
        .context("read /proc/self/mountinfo")?;
    Ok(mounts
        .into_iter()
        .find(|mount| mount.fs_type == "cgroup2" && mount.root == "/")
        .map(|mount| mount.mount_point.to_string_lossy().into_owned()))
}

fn mounted_privately() -> Result<OwnedFd> {
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC).context("fsopen cgroup2")?;
    fsconfig_create(context.as_fd()).context("fsconfig cgroup2")?;
    let mount = fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )
    .context("fsmount cgroup2")?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(&mount, ".", flags, Mode::empty()).context("open the mounted cgroup2")
}
