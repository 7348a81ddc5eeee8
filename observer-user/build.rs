//! Builds the eBPF programs and puts them where `kernel/` embeds them from, so that
//! `cargo build` alone builds both sides.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

const TARGET: &str = "bpfel-unknown-none";
const FIX: &str = "run `cargo xtask setup`, which installs what is missing";

fn main() -> Result<()> {
    for path in [
        "observer-ebpf/src",
        "observer-ebpf/Cargo.toml",
        "observer-common/src",
    ] {
        println!("cargo::rerun-if-changed=../{path}");
    }
    println!("cargo::rerun-if-env-changed=PATH");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    ensure!(
        succeeds(Command::new("bpf-linker").arg("--version")),
        "bpf-linker is missing: {FIX}"
    );

    let mut cargo = Toolchain::find()?.cargo()?;
    cargo.args([
        "build",
        "--package",
        "observer-ebpf",
        "--profile",
        "bpf",
        "--target",
        TARGET,
    ]);
    cargo
        .arg("--target-dir")
        .arg(out.join("bpf"))
        .current_dir(root);
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

/// A compiler that has a `core` for the BPF target, or can build one.
enum Toolchain {
    /// A precompiled `core` lies in its sysroot (Debian's `libstd-rust-web-dev-bpf`).
    Precompiled(PathBuf),
    /// Rustup's nightly with `rust-src` builds it.
    Nightly,
}

impl Toolchain {
    fn find() -> Result<Self> {
        let own = PathBuf::from(env::var_os("RUSTC").context("cargo sets RUSTC")?);
        for rustc in [own, PathBuf::from("/usr/bin/rustc")] {
            if has_bpf_core(&rustc) {
                return Ok(Self::Precompiled(rustc));
            }
        }
        if has_rust_src() {
            return Ok(Self::Nightly);
        }
        bail!("no Rust toolchain for {TARGET} found: {FIX}");
    }

    /// A cargo that uses it, free of what the outer build set for the host.
    fn cargo(&self) -> Result<Command> {
        let mut cargo = match self {
            Self::Precompiled(rustc) => {
                let mut cargo = Command::new(env::var_os("CARGO").context("cargo sets CARGO")?);
                // aya-ebpf needs unstable features, which a stable compiler refuses otherwise.
                cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
                cargo
            }
            Self::Nightly => {
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
}

/// bpf-linker borrows LLVM from a Rust toolchain: the one that builds this.
fn linker_libraries() -> Result<std::ffi::OsString> {
    let rustc = env::var_os("RUSTC").context("cargo sets RUSTC")?;
    let sysroot = prints(Command::new(rustc).args(["--print", "sysroot"]))
        .context("rustc --print sysroot")?;
    let mut paths = vec![PathBuf::from(sysroot).join("lib")];
    if let Some(outer) = env::var_os("LD_LIBRARY_PATH") {
        paths.extend(env::split_paths(&outer));
    }
    Ok(env::join_paths(paths)?)
}

fn has_bpf_core(rustc: &Path) -> bool {
    prints(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]))
        .and_then(|libdir| fs::read_dir(libdir).ok())
        .is_some_and(|files| {
            files
                .flatten()
                .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
        })
}

fn has_rust_src() -> bool {
    let sysroot = prints(
        Command::new("rustc")
            .args(["+nightly", "--print", "sysroot"])
            .env_remove("RUSTUP_TOOLCHAIN"),
    );
    sysroot.is_some_and(|root| {
        Path::new(&root)
            .join("lib/rustlib/src/rust/library/core")
            .is_dir()
    })
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command's trimmed output, if it succeeds.
fn prints(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
