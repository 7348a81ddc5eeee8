//! What the observer says, and what becomes of the state by it.

use std::time::Duration;

use super::state::{Connection, State};
use crate::{
    live::message::{Recent, Snapshot},
    model::journal::KEPT,
};

/// From the observer, or of it.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// How it is now.
    Snapshot(Box<Snapshot>),
    /// What ended since the last time.
    Ended {
        /// That.
        recent: Recent,
        /// It is all that is known: a new connection's first.
        is_all: bool,
    },
    /// It does not answer any more, and why.
    Lost(String),
}

impl State {
    /// Takes it, unless the picture is held.
    pub(super) fn on_news(&mut self, news: News) {
        match news {
            News::Lost(why) => self.connection = Connection::Lost(why),
            News::Snapshot(snapshot) => {
                self.connection = Connection::Up;
                self.heard = self.now;
                if !self.paused {
                    self.trends.move_on(self.snapshot.as_ref(), &snapshot);
                    self.snapshot = Some(*snapshot);
                }
            }
            News::Ended { recent, is_all } => {
                if is_all {
                    self.ended.clear();
                }
                self.ended.extend(recent.ended);
                let more = self.ended.len().saturating_sub(KEPT);
                // While the picture is held, what is on it stays.
                if !self.paused || more > KEPT {
                    self.ended.drain(..more);
                }
            }
        }
    }

    /// So long after the beginning it is now.
    pub(super) fn tick(&mut self, now: Duration) {
        self.now = now;
    }
}
