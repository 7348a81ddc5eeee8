//! tshark, the independent dissector.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

/// tshark of a capture, saying nothing but what it is asked for.
pub(crate) fn of(capture: &Path) -> Command {
    let mut tshark = Command::new("tshark");
    tshark.arg("-Q").arg("-r").arg(capture);
    tshark
}

/// Runs it, and calls `take` with each row of its output.
pub(crate) fn rows(mut tshark: Command, mut take: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut running = tshark
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start tshark")?;
    let rows = BufReader::new(running.stdout.take().context("tshark's output")?).lines();
    for row in rows {
        let row = row.context("read tshark's output")?;
        take(&row).with_context(|| format!("tshark: {row}"))?;
    }
    let ended = running.wait_with_output().context("wait for tshark")?;
    ensure!(
        ended.status.success(),
        "{tshark:?}: {}: {}",
        ended.status,
        String::from_utf8_lossy(&ended.stderr)
    );
    Ok(())
}

/// A field of bytes, in hexadecimal digits.
pub(crate) fn bytes(hex: &str) -> Result<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let pair = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
    };
    let pairs = hex.as_bytes().chunks(2).map(pair);
    pairs.collect::<Option<_>>().context("bytes in hex")
}

/// `frame.time_epoch`: seconds with nine decimals.
pub(crate) fn epoch(text: &str) -> Result<Duration> {
    let (seconds, nanoseconds) = text.split_once('.').context("a time")?;
    ensure!(nanoseconds.len() == 9, "a time in nanoseconds");
    Ok(Duration::new(seconds.parse()?, nanoseconds.parse()?))
}
