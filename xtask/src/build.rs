//! Builds that more than one command wants.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::sh;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// Where cargo builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// cargo, in the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root()).args(args);
    cargo
}

/// Builds optimised static binaries, which also run where no library is: a virtual machine's
/// initramfs, an appliance. Returns the folder they are in.
pub(crate) fn release(packages: &[&str]) -> Result<PathBuf> {
    let target = host()?;
    let mut build = cargo(&["build", "--release", "--target", &target]);
    for package in packages {
        build.args(["--package", package]);
    }
    sh::run(build.env("RUSTFLAGS", "-Ctarget-feature=+crt-static"))?;
    Ok(target_dir().join(target).join("release"))
}

/// Naming the host as target keeps the flags away from build scripts and macros.
fn host() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("rustc -vV")?;
    let text = String::from_utf8(output.stdout).context("rustc -vV")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV says no host")?.to_owned())
}
