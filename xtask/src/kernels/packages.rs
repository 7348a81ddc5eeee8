//! What has to be installed on the machine itself: QEMU.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::sh;

/// Programs, and the Debian package that has each.
const PROGRAMS: [(&str, &str); 1] = [("qemu-system-x86_64", "qemu-system-x86")];

/// Installs what is missing; the second time it changes nothing and asks no server.
pub(crate) fn install() -> Result<()> {
    if os_release("ID")? != "debian" {
        return require(&PROGRAMS);
    }
    let mut missing = PROGRAMS.map(|(_, package)| package).to_vec();
    missing.retain(|package| !installed(package));
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    sh::run(apt_get().args(["update", "-qq"]))
        .and_then(|()| {
            let install = ["install", "-y", "-qq", "--no-install-recommends"];
            sh::run(apt_get().args(install).args(missing))
        })
        .with_context(|| format!("install {packages} (this needs root)"))
}

/// An error that names the Debian package of the first program that is not there.
pub(super) fn require(programs: &[(&str, &str)]) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for (program, package) in programs {
        let found = std::env::split_paths(&path).any(|dir| dir.join(program).exists());
        let missing = || format!("{program} is missing (Debian has it in the package {package})");
        ensure!(found, missing());
    }
    Ok(())
}

pub(super) fn os_release(key: &str) -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Ok(value.unwrap_or_default().trim_matches('"').to_owned())
}

fn installed(package: &str) -> bool {
    let query = ["-W", "-f", "${db:Status-Status}"];
    let status = sh::output(Command::new("dpkg-query").args(query).arg(package));
    status.is_ok_and(|status| status == "installed")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        require(&[("sh", "dash")]).expect("sh is there");
        let error = require(&[("sh", "dash"), ("no-such-program", "no-such-package")]);
        let error = error.expect_err("it is not there").to_string();
        let expected = "no-such-program is missing (Debian has it in the package no-such-package)";
        assert_eq!(error, expected);
    }
}
