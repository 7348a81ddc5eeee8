//! `pxe-observer top`: the only room that knows ratatui.
//!
//! A key becomes a logical [`key::Key`], `State::on_key` says what is to be done, and a view is
//! made of `&State`: it fetches nothing and changes nothing. What others wrote (paths, names) goes
//! through `text` and no other way to the terminal.

mod entry;
mod input;
mod key;
mod list;
mod news;
mod observed;
mod once;
mod picture;
mod screen;
mod source;
mod state;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod trend;
mod views;

use std::{
    env,
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use self::{
    input::Event,
    observed::Observed,
    source::Source,
    state::{Action, State},
    terminal::Terminal,
};
pub use self::{picture::Picture, state::FIRST_ROWS};
use crate::{cli::WatchArgs, commands::Streams};

/// Without anything new, what says how old something is gets older.
const AGES: Duration = Duration::from_secs(1);

/// Watch what starves, each request and transfer under way, and what ended
///
/// Looks at the daemon (`pxe-observer run`). Where there is none it observes by itself, from then on
/// and for as long as it runs, which takes what the daemon takes: to be root, or its capabilities. `?`
/// shows the keys.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print one snapshot, and exit
    #[arg(long)]
    once: bool,
    /// As JSON
    #[arg(long, requires = "once")]
    json: bool,
    /// Milliseconds between snapshots
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(250..=60_000))]
    interval: u64,
    /// The daemon's live socket: then nobody else is looked at, and it is waited for. [default:
    /// /run/pxe-observer/live.sock]
    #[arg(long, value_name = "PATH")]
    live_socket: Option<PathBuf>,
    /// What is watched where there is no daemon.
    #[command(flatten)]
    watch: WatchArgs,
    /// For tests of who has the terminal then: panics after so many seconds.
    #[arg(long, hide = true, value_name = "SECONDS")]
    panic_after: Option<u64>,
}

impl Args {
    /// True if only a snapshot is to be printed.
    pub fn is_once(&self) -> bool {
        self.once
    }
}

/// Prints one snapshot.
///
/// # Errors
///
/// Nobody to look at, or nothing can be written.
pub fn once(args: &Args, streams: &mut Streams<'_>) -> Result<ExitCode> {
    once::run(args, streams)
}

/// Watches until told to stop.
///
/// # Errors
///
/// No terminal, or it cannot be written to; nobody to look at.
pub fn run(args: &Args) -> Result<ExitCode> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        bail!("top needs a terminal: use `pxe-observer top --once` to print a snapshot");
    }
    let observed = Observed::find(args)?;
    let (events, heard) = mpsc::channel();
    input::signals(events.clone()).context("handle signals")?;
    let mut state = State::new(args.interval, has_colour());
    state.note = observed.note;
    let source = Source::start(observed.way.clone(), state.wanted(), events.clone());
    let mut terminal = Terminal::enter().context("set the terminal up")?;
    input::keys(events);
    let panic_after = args.panic_after.map(Duration::from_secs);
    watch(&mut state, &mut terminal, &heard, &source, panic_after)?;
    Ok(ExitCode::SUCCESS)
}

/// <https://no-color.org>
fn has_colour() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn watch(
    state: &mut State,
    terminal: &mut Terminal,
    heard: &Receiver<Event>,
    source: &Source,
    panic_after: Option<Duration>,
) -> Result<()> {
    let began = Instant::now();
    loop {
        terminal.draw(|frame| screen::view(state, frame))?;
        let first = match heard.recv_timeout(AGES) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        state.page = terminal.page();
        for event in first.into_iter().chain(heard.try_iter()) {
            let action = match event {
                Event::Key(key) => state.on_key(key),
                Event::News(news) => {
                    state.on_news(*news);
                    Action::None
                }
                Event::Resized => Action::None,
                Event::Continued => Action::Redraw,
                Event::Stop => Action::Suspend,
                Event::End => Action::Quit,
            };
            match action {
                Action::None => {}
                Action::Quit => return Ok(()),
                Action::Suspend => terminal.suspend()?,
                Action::Redraw => terminal.resume()?,
            }
        }
        source.want(state.wanted());
        state.tick(began.elapsed());
        assert!(
            panic_after.is_none_or(|after| began.elapsed() < after),
            "asked to panic"
        );
    }
}
