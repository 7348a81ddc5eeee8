//! Makes a machine ready to build both sides. Safe to run twice: what is there stays.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    packages, sh,
    toolchain::{Toolchain, has_linker},
};

/// Debian's compiler and its precompiled `core` for BPF.
const DEBIAN: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];
/// The last bpf-linker that borrows LLVM from a Rust toolchain instead of wanting LLVM's own
/// development packages; its LLVM is the one of Debian's compiler.
const LINKER_FOR_DEBIAN: &str = "0.10.4";

/// Installs what is missing.
pub(crate) fn run() -> Result<()> {
    let toolchain = match Toolchain::find() {
        Some(toolchain) => toolchain,
        None => install_toolchain()?,
    };
    if !has_linker() {
        sh::run(&mut install_linker(&toolchain))?;
    }
    match toolchain {
        Toolchain::Precompiled(rustc) => eprintln!("eBPF is built by {}", rustc.display()),
        Toolchain::Nightly => eprintln!("eBPF is built by rustup's nightly"),
    }
    Ok(())
}

/// Debian's packages where they exist, else rustup's nightly.
fn install_toolchain() -> Result<Toolchain> {
    if packages::available(DEBIAN[1]) {
        packages::install_packages(&DEBIAN)?;
    } else if has_rustup() {
        sh::run(Command::new("rustup").args(NIGHTLY))?;
    } else {
        bail!(
            "neither Debian's {} nor rustup is here: install rustup (https://rustup.rs), then run this again",
            DEBIAN.join(" and ")
        );
    }
    let Some(toolchain) = Toolchain::find() else {
        bail!("the toolchain is installed but not found")
    };
    Ok(toolchain)
}

const NIGHTLY: [&str; 7] = [
    "toolchain",
    "install",
    "nightly",
    "--profile",
    "minimal",
    "--component",
    "rust-src",
];

fn has_rustup() -> bool {
    Command::new("rustup")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// With the nightly, the newest: it follows the nightly's LLVM.
fn install_linker(toolchain: &Toolchain) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["install", "bpf-linker", "--locked"]);
    if let Toolchain::Precompiled(_) = toolchain {
        cargo.args(["--version", LINKER_FOR_DEBIAN]);
    }
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linker_fits_the_toolchain() {
        let arguments = |toolchain| -> Vec<String> {
            install_linker(&toolchain)
                .get_args()
                .map(|word| word.to_string_lossy().into_owned())
                .collect()
        };
        let debian = arguments(Toolchain::Precompiled("/usr/bin/rustc".into()));
        assert_eq!(
            debian,
            [
                "install",
                "bpf-linker",
                "--locked",
                "--version",
                LINKER_FOR_DEBIAN
            ]
        );
        assert_eq!(
            arguments(Toolchain::Nightly),
            ["install", "bpf-linker", "--locked"]
        );
    }
}
