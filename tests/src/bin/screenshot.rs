//! Writes a picture of `top` while boots starve.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;

/// Take a picture of `top` while boots starve in namespaces of their own, as root
#[derive(Parser)]
struct Args {
    /// The SVG to write
    file: PathBuf,
}

fn main() -> Result<()> {
    let file = Args::parse().file;
    let picture = tests::screenshot::take()?;
    fs::write(&file, picture).with_context(|| file.display().to_string())
}
