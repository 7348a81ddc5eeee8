//! What the observer tells of each request that ended, heard at its live socket.

use std::{
    net::Shutdown,
    os::unix::net::UnixStream,
    path::PathBuf,
    thread::{self, JoinHandle},
};

use anyhow::{Result, anyhow, bail};
use observer_user::live::{
    client::Client,
    message::{Ended, Filter, Message, Request},
};

/// Who hears of each request that ended.
pub(super) struct Ear {
    live_socket: PathBuf,
    listening: JoinHandle<Result<Vec<Ended>>>,
    end: UnixStream,
}

/// What ended, as the observer told it.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) ended: Vec<Ended>,
    /// What it has told while nobody was there to hear.
    pub(super) missed: u64,
}

impl Ear {
    /// At the live socket of an observer that has seen nothing yet.
    pub(super) fn new(live_socket: PathBuf) -> Result<Self> {
        let client = Client::ask(&live_socket, &recent(0, true))?;
        client.patience(None)?;
        Ok(Self {
            live_socket,
            end: client.handle()?,
            listening: thread::spawn(|| hear(client)),
        })
    }

    /// Hears no more; what was not told yet is asked for.
    pub(super) fn close(self) -> Result<Heard> {
        self.end.shutdown(Shutdown::Both)?;
        let heard = self.listening.join();
        let mut ended = heard.map_err(|_| anyhow!("hearing of requests panicked"))??;
        let Message::Recent(last) = Client::once(&self.live_socket, &recent(KEPT, false))? else {
            bail!("the observer does not tell what ended last");
        };
        let heard = ended.last().map(|one| one.number);
        let is_new = |one: &Ended| heard.is_none_or(|heard| one.number > heard);
        ended.extend(last.ended.into_iter().filter(is_new));
        let missed = last.count.saturating_sub(ended.len() as u64);
        Ok(Heard { ended, missed })
    }
}

/// More than an observer keeps.
const KEPT: usize = 1 << 16;

fn recent(last: usize, follow: bool) -> Request {
    let filter = Filter::default();
    Request::Recent {
        filter,
        last,
        follow,
    }
}

fn hear(mut client: Client) -> Result<Vec<Ended>> {
    let mut ended = Vec::new();
    while let Some(message) = client.hear()? {
        if let Message::Recent(recent) = message {
            ended.extend(recent.ended);
        }
    }
    Ok(ended)
}
