//! A screen that is on no terminal: what a frame costs is measured of it.

use std::{convert::Infallible, fmt};

use ratatui::{Terminal, backend::TestBackend};

use super::{key::Key, news::News, screen, state::State};
use crate::live::message::Snapshot;

/// What would be on a terminal.
pub struct Picture {
    state: State,
    terminal: Terminal<TestBackend>,
}

impl Picture {
    /// Of nothing yet.
    pub fn new(width: u16, height: u16) -> Result<Self, Infallible> {
        Ok(Self {
            state: State::new(1_000, true),
            terminal: Terminal::new(TestBackend::new(width, height))?,
        })
    }

    /// What the observer says.
    pub fn hear(&mut self, snapshot: Snapshot) {
        self.state.on_news(News::Snapshot(Box::new(snapshot)));
    }

    /// A key that is a letter.
    pub fn press(&mut self, key: char) {
        self.state.on_key(Key::Char(key));
    }

    /// The next frame.
    pub fn draw(&mut self) -> Result<(), Infallible> {
        let state = &self.state;
        self.terminal
            .draw(|frame| screen::view(state, frame))
            .map(drop)
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.terminal.backend().fmt(f)
    }
}
