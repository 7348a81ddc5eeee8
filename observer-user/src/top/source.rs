//! The observer, asked by a thread of its own: connected again when it comes back.

use std::{
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
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

/// Who asks.
pub(super) struct Source(Arc<Shared>);

struct Shared {
    way: Way,
    interval_ms: AtomicU64,
    /// The connection there is.
    stream: Mutex<Option<UnixStream>>,
    events: Sender<Event>,
}

impl Source {
    pub(super) fn start(way: Way, interval_ms: u64, events: Sender<Event>) -> Self {
        let shared = Arc::new(Shared {
            way,
            interval_ms: AtomicU64::new(interval_ms),
            stream: Mutex::default(),
            events,
        });
        let asking = Arc::clone(&shared);
        thread::spawn(move || asking.ask());
        Self(shared)
    }

    /// Each connection has one request: the next one has the new interval.
    pub(super) fn set_interval(&self, ms: u64) {
        self.0.interval_ms.store(ms, Ordering::Relaxed);
        if let Some(stream) = self.0.stream().take() {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn stream(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until nobody listens.
    fn ask(&self) {
        loop {
            let interval_ms = self.interval_ms.load(Ordering::Relaxed);
            let why = match self.watch(interval_ms) {
                Ok(()) => "the observer has ended".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            // We have ended it ourselves.
            if self.interval_ms.load(Ordering::Relaxed) != interval_ms {
                continue;
            }
            if !self.tell(News::Lost(why)) {
                return;
            }
            thread::sleep(AGAIN);
        }
    }

    fn watch(&self, interval_ms: u64) -> Result<()> {
        let ended = true;
        let mut client = Client::by(&self.way, &Request::Watch { interval_ms, ended })?;
        client.patience(None)?;
        *self.stream() = Some(client.handle()?);
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
