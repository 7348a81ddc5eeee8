//! Where events come from: the keyboard, signals, and the observer.

use std::{io, sync::mpsc::Sender, thread};

use signal_hook::{
    consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP},
    iterator::Signals,
};

use super::{key, news::News};

/// Something happened.
pub(super) enum Event {
    /// A key.
    Key(key::Key),
    /// The observer said something, or nothing any more.
    News(Box<News>),
    /// The terminal has another size.
    Resized,
    /// Somebody wants us to stop for now (SIGTSTP).
    Stop,
    /// We go on (SIGCONT): somebody else may have used the terminal.
    Continued,
    /// The end is asked for, or the terminal is gone.
    End,
}

/// Tells keys, until nobody listens.
pub(super) fn keys(events: Sender<Event>) {
    thread::spawn(move || {
        loop {
            let event = match crossterm::event::read() {
                Ok(event) => logical(&event),
                Err(_) => Some(Event::End),
            };
            let is_last = matches!(event, Some(Event::End));
            if event.is_some_and(|event| events.send(event).is_err()) || is_last {
                return;
            }
        }
    });
}

fn logical(event: &crossterm::event::Event) -> Option<Event> {
    use crossterm::event::Event as Read;
    match event {
        Read::Key(event) => key::logical(event).map(Event::Key),
        Read::Resize(..) => Some(Event::Resized),
        Read::FocusGained | Read::FocusLost | Read::Mouse(_) | Read::Paste(_) => None,
    }
}

/// Tells signals, until nobody listens.
pub(super) fn signals(events: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let event = match signal {
                SIGTSTP => Event::Stop,
                SIGCONT => Event::Continued,
                _ => Event::End,
            };
            if events.send(event).is_err() {
                return;
            }
        }
    });
    Ok(())
}
