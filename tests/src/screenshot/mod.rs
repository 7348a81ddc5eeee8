//! A picture of `top` while boots starve for real: what a terminal showed, as SVG.

mod svg;

use std::{sync::atomic::AtomicBool, thread};

use anyhow::{Context as _, Result};

use crate::{
    observer,
    starve::{self, Scenario},
    tmux::Tmux,
};

const COLUMNS: u16 = 112;
const LINES: u16 = 18;
/// One server process for all, and what it is busy with: seen at a glance.
const SCENARIO: Scenario = Scenario::Converter;
const MACHINES: usize = 64;
/// `top` observes by itself, wherever a daemon is: of the servers of the storm only.
const TOP: &str = "unshare --mount sh -c 'mount -t tmpfs none /run && exec \"$@\"' sh";
const OPTIONS: &str = "top --http-port 18600 --profile dragonfly";

/// Has boots starve, and looks at them.
pub fn take() -> Result<String> {
    let tmux = Tmux::start(COLUMNS, LINES)?;
    let binary = observer::binary();
    let line = format!("{TOP} {} {OPTIONS}", binary.display());
    tmux.keys(&[&line, "Enter"])?;
    let cause = SCENARIO.cause().context("something is wrong in it")?;
    thread::scope(|scope| {
        let storm = scope.spawn(|| starve::play(SCENARIO, MACHINES, &AtomicBool::new(false)));
        let seen = see(&tmux, &format!("! {cause}"));
        let played = storm.join();
        played.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(svg::draw(&seen?, (LINES, COLUMNS)))
    })
}

/// What is on the terminal once that is said: soon, for the cause does not stay for long.
fn see(tmux: &Tmux, what: &str) -> Result<String> {
    tmux.until(|text| text.contains(what) && !text.contains("for 0s: "))?;
    tmux.styled()
}
