//! The observer, asked by a thread of its own: connected again when it comes back.

use std::{
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Sender},
    thread,
    time::Duration,
};

use anyhow::Result;

use super::{input::Event, news::News};
use crate::live::{
    client::{Client, Way},
    message::{Message, Request},
};

/// Before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) interval_ms: u64,
    pub(super) rows: usize,
}

/// Who asks.
pub(super) struct Source(Arc<Shared>);

struct Shared {
    way: Way,
    wanted: Mutex<Wanted>,
    /// The connection there is.
    stream: Mutex<Option<UnixStream>>,
    events: Sender<Event>,
}

impl Source {
    pub(super) fn start(way: Way, wanted: Wanted, events: Sender<Event>) -> Self {
        let shared = Arc::new(Shared {
            way,
            wanted: Mutex::new(wanted),
            stream: Mutex::default(),
            events,
        });
        let asking = Arc::clone(&shared);
        thread::spawn(move || asking.ask());
        Self(shared)
    }

    /// Each connection has one request: what is wanted anew is that of the next one.
    pub(super) fn want(&self, wanted: Wanted) {
        let former = std::mem::replace(&mut *locked(&self.0.wanted), wanted);
        if former == wanted {
            return;
        }
        if let Some(stream) = locked(&self.0.stream).take() {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Until nobody listens.
    fn ask(&self) {
        loop {
            let wanted = *locked(&self.wanted);
            let why = match self.watch(wanted) {
                Ok(()) => "the observer has ended".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            // We have ended it ourselves.
            if *locked(&self.wanted) != wanted {
                continue;
            }
            if !self.tell(News::Lost(why)) {
                return;
            }
            thread::sleep(AGAIN);
        }
    }

    fn watch(&self, wanted: Wanted) -> Result<()> {
        let request = Request::Watch {
            interval_ms: wanted.interval_ms,
            ended: true,
            rows: wanted.rows,
        };
        let mut client = Client::by(&self.way, &request)?;
        client.patience(None)?;
        *locked(&self.stream) = Some(client.handle()?);
        let mut is_first = true;
        while let Some(message) = client.hear()? {
            let news = match message {
                Message::Snapshot(snapshot) => News::Snapshot(snapshot),
                Message::Recent(recent) => {
                    let is_all = std::mem::take(&mut is_first);
                    News::Ended { recent, is_all }
                }
                Message::Hello(_) | Message::Unmatched(_) | Message::Refused(_) => continue,
            };
            if !self.tell(news) {
                break;
            }
        }
        Ok(())
    }

    fn tell(&self, news: News) -> bool {
        self.events.send(Event::News(Box::new(news))).is_ok()
    }
}
