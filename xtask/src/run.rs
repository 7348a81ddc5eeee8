//! The product and its demonstration, from nothing.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::{build, packages, setup, sh, test};

/// Sets up, builds, and observes this host until stopped.
pub(crate) fn run(args: &[String]) -> Result<()> {
    setup::run()?;
    build_observer()?;
    sh::run(
        sh::as_root(build::target_dir().join("release/pxe-observer"))
            .arg("run")
            .args(args),
    )
}

/// Sets up, builds, and shows real traffic in a namespace of its own until stopped.
pub(crate) fn demo() -> Result<()> {
    setup::run()?;
    packages::install(&test::PROGRAMS)?;
    let packages = ["--package", "observer-user", "--package", "tests"];
    sh::run(build::cargo(&["build", "--release"]).args(packages))?;
    let observer = build::target_dir().join("release/pxe-observer");
    sh::run(sh::as_root(build::target_dir().join("release/demo")).env("PXE_OBSERVER", observer))
}

/// Compares what the observer would say of captures with what tshark says.
pub(crate) fn verify(args: &[String]) -> Result<()> {
    setup::run()?;
    packages::install(&[("tshark", "tshark")])?;
    sh::run(&mut of_tests("verify", args))
}

/// Measures what the observer costs.
pub(crate) fn bench(args: &[String]) -> Result<()> {
    ensure!(
        sh::is_root(),
        "benchmarks attach programs and make network namespaces: run this as root"
    );
    setup::run()?;
    let programs = [
        ("nginx", "nginx-light"),
        ("dnsmasq", "dnsmasq-base"),
        ("curl", "curl"),
        ("ip", "iproute2"),
        ("nsenter", "util-linux"),
        ("tcpdump", "tcpdump"),
        ("tshark", "tshark"),
        ("atftp", "atftp"),
        // With what atftpd links to.
        ("in.tftpd", "tftpd-hpa"),
    ];
    packages::install(&programs)?;
    let atftpd = test::atftpd()?;
    build_observer()?;
    sh::run(of_tests("bench", args).env("ATFTPD", atftpd))
}

/// Starves boots, and holds what the observer says against what was injected.
pub(crate) fn starve(args: &[String]) -> Result<()> {
    starving("starve", args)
}

fn starving(binary: &str, args: &[String]) -> Result<()> {
    ensure!(
        sh::is_root(),
        "starvation is made in network namespaces: run this as root"
    );
    setup::run()?;
    packages::install(&test::PROGRAMS)?;
    build_observer()?;
    let observer = build::target_dir().join("release/pxe-observer");
    sh::run(of_tests(binary, args).env("PXE_OBSERVER", observer))
}

/// Takes the picture that the README shows.
pub(crate) fn screenshot() -> Result<()> {
    let file = build::root().join("docs/top.svg").display().to_string();
    starving("screenshot", &[file])
}

fn build_observer() -> Result<()> {
    sh::run(build::cargo(&["build", "--release"]).args(["--package", "observer-user"]))
}

/// Builds and runs one of the binaries of `tests`.
fn of_tests(binary: &str, args: &[String]) -> Command {
    let run = [
        "run",
        "--release",
        "--package",
        "tests",
        "--bin",
        binary,
        "--",
    ];
    let mut command = build::cargo(&run);
    command.args(args);
    command
}
