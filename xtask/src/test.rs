//! All tests, as continuous integration runs them, cheapest first.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    build,
    kernels::{self, KernelsRequest},
    packages::{self, Program},
    setup, sh,
};

/// The real servers, clients and tools of the end-to-end tests.
pub(crate) const PROGRAMS: [Program; 21] = [
    ("nginx", "nginx-light"),
    ("apache2", "apache2-bin"),
    ("lighttpd", "lighttpd"),
    ("python3", "python3"),
    ("apt-ftparchive", "apt-utils"),
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("curl", "curl"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("bpftool", "bpftool"),
    ("nft", "nftables"),
    // Has the kernel refuse what it would grant.
    ("strace", "strace"),
    // Says how exposed the unit is; nothing is started by it.
    ("systemd-analyze", "systemd"),
    ("dnsmasq", "dnsmasq-base"),
    ("tmux", "tmux"),
    ("in.tftpd", "tftpd-hpa"),
    ("tftp", "tftp-hpa"),
    ("atftp", "atftp"),
    ("busybox", "busybox-static"),
    // With promtool.
    ("prometheus", "prometheus"),
];

/// Sets up, checks the style, runs every tier.
pub(crate) fn run() -> Result<()> {
    // Not after minutes of the tests that do not need it.
    ensure!(
        sh::is_root(),
        "the tests attach programs and make network namespaces: run this as root"
    );
    setup::run()?;
    packages::install(&PROGRAMS)?;
    let atftpd = atftpd()?;
    style()?;
    sh::run(&mut build::cargo(&["test"]))?;
    sh::run(&mut build::cargo(&["test", "--package", "xtask"]))?;

    let binaries = build::release(&["observer-user", "tests"])?;
    kernels::run(&KernelsRequest {
        binary: binaries.join("kernel-check"),
        ..KernelsRequest::default()
    })?;
    let observer = binaries.join("pxe-observer");
    for kernel in kernels::ends()? {
        let mut service = Command::new("tests/systemd/run.sh");
        sh::run(service.arg(kernel).arg(&observer))?;
    }
    let mut demo = sh::as_root(binaries.join("demo"));
    sh::run(demo.args(["--seconds", "3"]).env("PXE_OBSERVER", &observer))?;
    let mut tests = build::cargo(&["test", "--package", "tests"]);
    sh::run(tests.env("PXE_OBSERVER", &observer).env("ATFTPD", atftpd))
}

/// Where it is. It conflicts with tftpd-hpa; what it links to, that one brings, too.
pub(crate) fn atftpd() -> Result<PathBuf> {
    packages::unpack_program("atftpd", "usr/sbin/atftpd")
}

fn style() -> Result<()> {
    sh::run(&mut build::cargo(&["fmt", "--all", "--check"]))?;
    // observer-ebpf builds for another target only; the compiler's own lints hold there.
    let clippy = [
        "clippy",
        "--workspace",
        "--exclude",
        "observer-ebpf",
        "--all-targets",
    ];
    sh::run(build::cargo(&clippy).args(["--", "--deny", "warnings"]))?;
    fuzz_targets()
}

/// They are outside of the workspace, and have its versions. Without the C++ runtime, which is linked
/// where they run.
fn fuzz_targets() -> Result<()> {
    let folder = build::root().join("fuzz");
    fs::copy(build::root().join("Cargo.lock"), folder.join("Cargo.lock")).context("copy a lock")?;
    let mut check = build::cargo(&["check", "--bins"]);
    check
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", build::root().join(build::target_dir()))
        .env("CUSTOM_LIBFUZZER_PATH", "/nowhere/libfuzzer.a");
    sh::run(&mut check)
}
