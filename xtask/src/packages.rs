//! Debian packages that have to be installed on the machine itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{build, sh};

/// A program, and the Debian package that has it.
pub(crate) type Program = (&'static str, &'static str);

/// Installs what is missing; the second time it changes nothing and asks no server. Where
/// there is no apt it only checks that the programs are there.
pub(crate) fn install(programs: &[Program]) -> Result<()> {
    if !has_apt() {
        return require(programs);
    }
    let missing = programs.iter().filter(|(program, _)| !on_path(program));
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    install_packages(&missing)
}

/// Installs packages by name, without starting the services they bring.
pub(crate) fn install_packages(packages: &[&str]) -> Result<()> {
    let _nothing_starts = NoServices::begin()?;
    update()
        .and_then(|()| {
            let install = ["install", "-y", "-qq", "--no-install-recommends"];
            sh::run(apt_get().args(install).args(packages))
        })
        .with_context(|| format!("install {} (this needs root)", packages.join(" ")))
}

/// Downloads a package and unpacks it below `tree`, an empty directory, by this `apt-get`.
pub(crate) fn unpack(mut apt_get: Command, package: &str, tree: &Path) -> Result<()> {
    apt_get.args(["download", "-qq", package]).current_dir(tree);
    sh::run(&mut apt_get).with_context(|| format!("download {package}"))?;
    for item in fs::read_dir(tree)? {
        let deb = item?.path();
        sh::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(tree))?;
        fs::remove_file(deb)?;
    }
    Ok(())
}

/// A program of a package that Debian does not install beside another; returns where it is.
/// The second time it asks no server.
pub(crate) fn unpack_program(package: &str, program: &str) -> Result<PathBuf> {
    let tree = std::path::absolute(build::target_dir())?
        .join("peers")
        .join(package);
    let path = tree.join(program);
    if !path.exists() {
        require(&[("apt-get", "apt"), ("dpkg-deb", "dpkg")])?;
        // What an interrupted run has left.
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        fs::create_dir_all(&tree)?;
        update()?;
        unpack(apt_get(), package, &tree)?;
    }
    ensure!(path.exists(), "{} is not in {package}", path.display());
    Ok(path)
}

/// Whether apt knows a package of this name.
pub(crate) fn available(package: &str) -> bool {
    has_apt()
        && update().is_ok()
        && sh::status(
            Command::new("apt-cache")
                .args(["show", "-qq", package])
                .stdout(std::process::Stdio::null()),
        )
        .is_ok_and(|status| status.success())
}

/// An error that names the Debian package of the first program that is not there.
pub(crate) fn require(programs: &[Program]) -> Result<()> {
    for (program, package) in programs {
        let missing = || format!("{program} is missing (Debian has it in the package {package})");
        ensure!(on_path(program), missing());
    }
    Ok(())
}

pub(crate) fn os_release(key: &str) -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Ok(value.unwrap_or_default().trim_matches('"').to_owned())
}

fn has_apt() -> bool {
    on_path("apt-get")
}

/// Also where a person's PATH does not lead, but root's does.
fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    places.into_iter().any(|place| place.join(program).exists())
}

fn update() -> Result<()> {
    sh::run(apt_get().args(["update", "-qq"]))
}

fn apt_get() -> Command {
    let mut command = sh::as_root("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// While it lives, packages install without starting their services (invoke-rc.d(8)): a test's
/// nginx must not serve the host.
struct NoServices {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Known again by its second line: a run that was interrupted has left it.
const REFUSAL: &str =
    "#!/bin/sh\n# Written by pxe-observer's `cargo xtask`; safe to remove.\nexit 101\n";

impl NoServices {
    fn begin() -> Result<Self> {
        let found = fs::read_to_string(POLICY).ok();
        if found.is_some_and(|found| found != REFUSAL) {
            return Ok(Self { ours: false });
        }
        let write = format!(
            "printf %s {} >{POLICY} && chmod 755 {POLICY}",
            sh::quote(REFUSAL)
        );
        sh::run(sh::as_root("sh").args(["-c", &write]))?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = sh::run(sh::as_root("rm").args(["-f", POLICY]))
        {
            eprintln!("{POLICY} stays behind: {error:#}");
        }
    }
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
