// How the eBPF programs can be built on this machine. Shared by the build script, which uses
// what it finds, and `cargo xtask setup`, which installs what is missing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// A compiler that has a `core` for the BPF target, or can build one.
pub(crate) enum Toolchain {
    /// A precompiled `core` lies in its sysroot (Debian's `libstd-rust-web-dev-bpf`).
    Precompiled(PathBuf),
    /// Rustup's nightly with `rust-src` builds it.
    Nightly,
}

impl Toolchain {
    pub(crate) fn find() -> Option<Self> {
        for rustc in [rustc(), PathBuf::from("/usr/bin/rustc")] {
            if has_bpf_core(&rustc) {
                return Some(Self::Precompiled(rustc));
            }
        }
        has_rust_src().then_some(Self::Nightly)
    }
}

/// The compiler of this build.
pub(crate) fn rustc() -> PathBuf {
    env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from)
}

pub(crate) fn has_linker() -> bool {
    Command::new("bpf-linker")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
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

/// The command's trimmed output, if it succeeds.
pub(crate) fn prints(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
