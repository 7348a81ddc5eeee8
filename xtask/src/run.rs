//! The product and its demonstration, from nothing.

use anyhow::Result;

use crate::{build, packages, setup, sh, test};

/// Sets up, builds, and observes this host until stopped.
pub(crate) fn run(args: &[String]) -> Result<()> {
    setup::run()?;
    sh::run(&mut build::cargo(&[
        "build",
        "--release",
        "--package",
        "observer-user",
    ]))?;
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
    let verify = [
        "run",
        "--release",
        "--package",
        "tests",
        "--bin",
        "verify",
        "--",
    ];
    sh::run(build::cargo(&verify).args(args))
}
