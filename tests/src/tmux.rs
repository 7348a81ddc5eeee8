//! A real terminal: tmux, with a server of its own.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::process::run;

/// A state that takes longer is never reached.
const REACHED: Duration = Duration::from_secs(20);
/// Leaves the processor to those who are to reach it.
const BETWEEN: Duration = Duration::from_millis(50);

/// A terminal with a shell in it; ended when dropped.
pub struct Tmux {
    folder: TempDir,
}

impl Tmux {
    /// So many columns and lines.
    pub fn start(columns: u16, lines: u16) -> Result<Self> {
        let tmux = Self {
            folder: TempDir::new().context("a folder for tmux")?,
        };
        let size = [columns.to_string(), lines.to_string()];
        run(tmux
            .command()
            .args([
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                &size[0],
                "-y",
                &size[1],
            ])
            .args(["env", "PS1=ready> ", "bash", "--norc", "--noprofile", "-i"]))?;
        tmux.until(|text| text.contains("ready>"))?;
        Ok(tmux)
    }

    /// Types: names of keys as tmux has them, or text.
    pub fn keys(&self, keys: &[&str]) -> Result<()> {
        run(self.command().arg("send-keys").args(keys)).map(drop)
    }

    /// What is on it.
    pub fn text(&self) -> Result<String> {
        run(self.command().args(["capture-pane", "-p"]))
    }

    /// The same with its colours, as escape sequences.
    pub fn styled(&self) -> Result<String> {
        run(self.command().args(["capture-pane", "-e", "-p"]))
    }

    /// What tmux knows of it (FORMATS in tmux(1)).
    pub fn says(&self, format: &str) -> Result<String> {
        let said = run(self.command().args(["display-message", "-p", format]))?;
        Ok(said.trim().to_owned())
    }

    /// Makes it another size.
    pub fn resize(&self, columns: u16, lines: u16) -> Result<()> {
        let size = [columns.to_string(), lines.to_string()];
        run(self
            .command()
            .args(["resize-window", "-x", &size[0], "-y", &size[1]]))
        .map(drop)
    }

    /// Looks until that is on it; an error says what was last.
    pub fn until(&self, reached: impl Fn(&str) -> bool) -> Result<String> {
        let begun = Instant::now();
        loop {
            let text = self.text()?;
            if reached(&text) {
                return Ok(text);
            }
            if begun.elapsed() > REACHED {
                bail!("never reached; it is\n{text}");
            }
            std::thread::sleep(BETWEEN);
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command
            .args(["-u", "-S"])
            .arg(self.folder.path().join("tmux"))
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env_remove("TMUX");
        command
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        if let Err(error) = run(self.command().arg("kill-server")) {
            eprintln!("a terminal stays behind: {error:#}");
        }
    }
}
