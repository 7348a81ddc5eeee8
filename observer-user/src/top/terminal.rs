//! The terminal, which is given back as it was: at the end, in a panic, and while we are stopped.

use std::{
    io::{self, Stdout, Write as _, stdout},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    cursor::{Hide, Show},
    execute,
    terminal::{
        Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
        enable_raw_mode,
    },
};
use ratatui::{Frame, backend::CrosstermBackend};
use signal_hook::{consts::SIGSTOP, low_level::raise};

/// It is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOKED: Once = Once::new();

/// The terminal while it is ours. Dropped, it is given back.
pub(super) struct Terminal(ratatui::Terminal<CrosstermBackend<Stdout>>);

impl Terminal {
    /// Who gives it back is there before it is taken.
    pub(super) fn enter() -> io::Result<Self> {
        HOOKED.call_once(|| {
            let told = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                restore();
                told(panic);
            }));
        });
        let terminal = Self(ratatui::Terminal::new(CrosstermBackend::new(stdout()))?);
        take()?;
        Ok(terminal)
    }

    /// An error once it was given back: some thread has panicked.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if !TAKEN.load(Ordering::SeqCst) {
            return Err(io::Error::other("a part of it panicked"));
        }
        self.0.draw(view).map(drop)
    }

    /// Lines that a list has on it.
    pub(super) fn page(&self) -> usize {
        self.0.size().map_or(1, |size| size.height.into())
    }

    /// Gives it back, stops, and takes it again.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        restore();
        // Of this thread, and so of all: a confined process may send signals to itself only.
        raise(SIGSTOP)?;
        self.resume()
    }

    /// Takes it again: nothing of what is on it is ours.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        restore();
        // Whose `clear` would ask the terminal where the cursor is, and wait for a key.
        self.0 = ratatui::Terminal::new(CrosstermBackend::new(stdout()))?;
        take()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, Clear(ClearType::All), Hide)
}

/// Once for each time it was taken, whoever comes first. What cannot be done is not done.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        let _ = stdout().flush();
    }
}
