//! The only room that knows the service manager (sd_notify(3)): tells it what state we are in, and
//! that we are alive, as long as we are.
//!
//! A thread of its own sends, for a manager that does not read may keep it waiting.

use std::{
    env, io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use sd_notify::NotifyState;

use crate::health::{Health, Progress};

/// States that wait to be told; a manager that lets more wait does not read them.
const WAITING: usize = 8;
/// Looks at our progress in the time that the manager gives us.
const LOOKS: u32 = 4;
/// How long an end waits until it is told.
const LAST_WORD: Duration = Duration::from_millis(200);
/// Without a watchdog nothing is looked at.
const NEVER: Duration = Duration::from_secs(3600);

/// Where states are told to; nowhere, unless a manager started us.
pub struct Manager(Option<SyncSender<State>>);

enum State {
    Ready(String),
    Status(String),
    Reloading,
    Stopping,
}

impl Manager {
    /// Starts the thread if there is somebody to tell.
    pub fn start(health: Arc<Health>) -> io::Result<Self> {
        if env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(Self(None));
        }
        let watchdog = sd_notify::watchdog_enabled();
        let (states, told) = sync_channel(WAITING);
        thread::Builder::new()
            .name("notify".to_owned())
            .spawn(move || tell(&told, &health, watchdog))?;
        Ok(Self(Some(states)))
    }

    /// Everything is attached and bound, and what is done now; also after a reload.
    pub fn ready(&self, status: String) {
        self.say(State::Ready(status));
    }

    /// What is done now, in words.
    pub fn status(&self, status: String) {
        self.say(State::Status(status));
    }

    /// A reload has begun; [`Self::ready`] ends it.
    pub fn reloading(&self) {
        self.say(State::Reloading);
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.say(State::Stopping);
    }

    fn say(&self, state: State) {
        if let Some(states) = &self.0
            && states.try_send(state).is_err()
        {
            tracing::debug!("the service manager is not told: it does not read");
        }
    }
}

/// The end has begun before there was anything to be ready for. It waits until that is told, but not
/// for a manager that does not read.
pub fn stopping_early() {
    let (done, told) = sync_channel(1);
    let tell = move || {
        send(&State::Stopping);
        // Who does not wait any more has ended.
        let _ = done.send(());
    };
    // Without a thread it ends untold.
    if thread::Builder::new().spawn(tell).is_ok() {
        let _ = told.recv_timeout(LAST_WORD);
    }
}

fn tell(states: &Receiver<State>, health: &Health, watchdog: Option<Duration>) {
    let look = watchdog.map_or(NEVER, |limit| limit / LOOKS);
    let mut pinged = health.progress();
    loop {
        match states.recv_timeout(look) {
            Ok(state) => send(&state),
            Err(RecvTimeoutError::Timeout) => ping(watchdog.is_some(), health, &mut pinged),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
}

/// Only if each task got on since the last ping: the passing of time is no sign of life.
fn ping(is_watched: bool, health: &Health, pinged: &mut Progress) {
    let now = health.progress();
    if is_watched && now.is_beyond(pinged) {
        *pinged = now;
        check(sd_notify::notify(&[NotifyState::Watchdog]));
    }
}

fn send(state: &State) {
    check(match state {
        State::Ready(status) => {
            sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)])
        }
        State::Status(status) => sd_notify::notify(&[NotifyState::Status(status)]),
        State::Reloading => NotifyState::monotonic_usec_now().and_then(|now| {
            let status = NotifyState::Status("reading the configuration");
            sd_notify::notify(&[NotifyState::Reloading, now, status])
        }),
        State::Stopping => {
            let status = NotifyState::Status("draining once more");
            sd_notify::notify(&[NotifyState::Stopping, status])
        }
    });
}

fn check(told: io::Result<()>) {
    if let Err(error) = told {
        tracing::debug!("the service manager is not told: {error}");
    }
}
