//! Builds the eBPF programs and puts them where `kernel/` embeds them from, so that
//! `cargo build` alone builds both sides.

#[path = "toolchain.rs"]
mod toolchain;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, ensure};
use toolchain::{TARGET, Toolchain, has_linker, prints, rustc};

const FIX: &str = "run `cargo xtask setup`, which installs what is missing";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    for path in [
        "Cargo.lock",
        "Cargo.toml",
        "observer-common",
        "observer-ebpf",
    ] {
        println!("cargo::rerun-if-changed=../{path}");
    }
    println!("cargo::rerun-if-changed=toolchain.rs");
    println!("cargo::rerun-if-env-changed=PATH");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    ensure!(has_linker(), "bpf-linker is missing: {FIX}");
    let toolchain =
        Toolchain::find().with_context(|| format!("no Rust toolchain for {TARGET}: {FIX}"))?;

    let mut cargo = cargo(&toolchain)?;
    cargo.args([
        "build",
        "--package",
        "observer-ebpf",
        "--profile",
        "bpf",
        "--target",
        TARGET,
    ]);
    cargo.arg("--target-dir").arg(out.join("bpf"));
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let status = cargo
        .status()
        .context("start cargo for the eBPF programs")?;
    ensure!(
        status.success(),
        "the eBPF programs do not build ({status})"
    );

    let built = out.join("bpf").join(TARGET).join("bpf/observer-ebpf");
    fs::copy(&built, out.join("observer-ebpf"))
        .with_context(|| format!("copy {}", built.display()))?;
    Ok(())
}

/// A cargo that uses the toolchain, free of what the outer build set for the host.
fn cargo(toolchain: &Toolchain) -> Result<Command> {
    let mut cargo = match toolchain {
        Toolchain::Precompiled(rustc) => {
            let mut cargo = Command::new(env::var_os("CARGO").context("cargo sets CARGO")?);
            // aya-ebpf needs unstable features, which a stable compiler refuses otherwise.
            cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
            cargo
        }
        Toolchain::Nightly => {
            let mut cargo = Command::new("cargo");
            cargo
                .args(["+nightly", "-Zbuild-std=core"])
                .env_remove("RUSTC");
            cargo
        }
    };
    for outer in [
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTUP_TOOLCHAIN",
        "RUSTFLAGS",
    ] {
        cargo.env_remove(outer);
    }
    cargo.env(
        "CARGO_ENCODED_RUSTFLAGS",
        "-Cdebuginfo=2\u{1f}-Clink-arg=--btf",
    );
    cargo.env("LD_LIBRARY_PATH", linker_libraries()?);
    Ok(cargo)
}

/// bpf-linker borrows LLVM from a Rust toolchain: the one that builds this.
fn linker_libraries() -> Result<OsString> {
    let sysroot = prints(Command::new(rustc()).args(["--print", "sysroot"]))
        .context("rustc --print sysroot")?;
    let mut paths = vec![PathBuf::from(sysroot).join("lib")];
    if let Some(outer) = env::var_os("LD_LIBRARY_PATH") {
        paths.extend(env::split_paths(&outer));
    }
    Ok(env::join_paths(paths)?)
}
