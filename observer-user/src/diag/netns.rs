//! Where sockets are asked for: our own network namespace, and others in which servers are.
//!
//! Others are found through the processes that live there. What has sockets but no process (a
//! namespace of threads, or of descriptors that were passed on) is not found.

mod pace;
mod place;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Instant,
};

use anyhow::{Context as _, Result};
use observer_common::conn::Tuple;
use procfs::process::Process;

use self::{
    pace::Pace,
    place::{Place, serves},
};
use super::listeners::{namespace, processes};
use crate::{
    clock::monotonic_ns,
    model::{
        links::{Ends, Interface},
        sockets::{Listener, Sending, UdpSocket, Wanted},
    },
};

/// Namespaces that are asked besides our own: each costs two descriptors and some lists a second.
const MAX: usize = 16;

/// Our own namespace and those that were found.
pub(super) struct Namespaces {
    own: Option<Place>,
    own_said: Said,
    others: BTreeMap<u64, Other>,
    unreachable: usize,
    pace: Pace,
}

/// One that was found; it lives as long as it is asked.
struct Other {
    place: Place,
    said: Said,
    /// Something wanted was found there since it was last tidied up.
    used: bool,
}

/// The last answers of a namespace. They stand for it in the second in which it does not answer, for
/// what is in the others is known.
#[derive(Default)]
struct Said {
    listeners: Option<Vec<Listener>>,
    udp: Option<Vec<UdpSocket>>,
}

/// What was found; nothing if a namespace failed that never answered before. And why one failed.
pub(super) type Found<T> = (Option<Vec<T>>, io::Result<()>);

/// What a search was denied.
#[derive(Debug, Default)]
pub(super) struct Denied {
    /// To learn of some process where it lives.
    pub(super) a_look: bool,
    /// To enter a namespace with servers, and why.
    pub(super) entry: Option<io::Error>,
}

impl Namespaces {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            own: None,
            own_said: Said::default(),
            others: BTreeMap::new(),
            unreachable: 0,
            pace: Pace::new(now),
        }
    }

    /// The sockets that listen on these ports, in all of them.
    pub(super) fn listeners(&mut self, ports: &BTreeSet<u16>) -> Found<Listener> {
        // The kernel filters by one port or by none.
        let only = ports.first().filter(|_| ports.len() == 1);
        let ask = |place: &mut Place| {
            if ports.is_empty() {
                return Ok(Vec::new());
            }
            let mut listeners = place.diag.listeners(only.copied())?;
            listeners.retain(|listener| ports.contains(&listener.port));
            Ok(listeners)
        };
        self.each(ask, |said, asked| or_last(&mut said.listeners, asked))
    }

    /// The UDP sockets at these ports, in all of them.
    pub(super) fn udp(&mut self, ports: &BTreeSet<u16>) -> Found<UdpSocket> {
        let ask = |place: &mut Place| {
            let mut sockets = Vec::new();
            for port in ports {
                sockets.extend(place.diag.udp(*port)?);
            }
            place.has_udp = !sockets.is_empty();
            Ok(sockets)
        };
        self.each(ask, |said, asked| or_last(&mut said.udp, asked))
    }

    /// How these connections send, wherever they are, and when they said so; nothing of those that
    /// are over. Where a namespace fails, those that were not found yet are asked the next time.
    pub(super) fn sending(&mut self, connections: &[(u64, Tuple)]) -> Found<Sending> {
        let mut left = connections.to_vec();
        let ask = |place: &mut Place| {
            let mut found = Vec::new();
            for (cookie, ends) in std::mem::take(&mut left) {
                match place.diag.tcp_info(&ends, cookie)? {
                    Some(state) => found.push((cookie, monotonic_ns(), state)),
                    None => left.push((cookie, ends)),
                }
            }
            Ok(found)
        };
        self.each(ask, |_, asked| {
            Some(asked.as_deref().unwrap_or_default().to_vec())
        })
    }

    /// The interfaces that these ends lead to, of the namespaces that could be asked, and why
    /// another could not.
    pub(super) fn interfaces(&mut self, ends: &Ends) -> (Vec<Interface>, io::Result<()>) {
        let (mut found, mut result) = (Vec::new(), Ok(()));
        // What fails is opened anew with the next question.
        if let Some(mut own) = self.own.take() {
            match own.interfaces(ends) {
                Ok(interfaces) => {
                    found.extend(interfaces);
                    self.own = Some(own);
                }
                Err(error) => result = Err(error),
            }
        }
        self.others
            .retain(|_, other| match other.place.interfaces(ends) {
                Ok(interfaces) => {
                    found.extend(interfaces);
                    true
                }
                Err(error) => {
                    result = Err(error);
                    false
                }
            });
        if result.is_err() {
            self.pace.hurry(Instant::now());
        }
        (found, result)
    }

    /// How many have a socket that is wanted, and cannot be entered.
    pub(super) fn unreachable(&self) -> usize {
        self.unreachable
    }

    /// True if it is time to search for more: it will be done now.
    pub(super) fn is_search_due(&mut self, wanted: &Wanted) -> bool {
        self.pace.is_due(wanted.served, Instant::now())
    }

    /// Searches for more; returns what it was denied.
    pub(super) fn search(&mut self, wanted: &Wanted) -> Result<Denied> {
        let mut denied = Denied::default();
        let mut seen = BTreeSet::from([own()?]);
        let mut unreachable = 0;
        for process in processes()? {
            let id = match namespace(&process) {
                Ok(id) => id,
                Err(error) => {
                    let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
                    denied.a_look |= is_denied && process.is_alive();
                    continue;
                }
            };
            if seen.contains(&id) || self.others.contains_key(&id) {
                continue;
            }
            let opened = match serves(&process, wanted) {
                None => continue,
                Some(false) => Ok(()),
                Some(true) => self.open(id, &process),
            };
            match opened {
                Ok(()) => {}
                // Others may live there, too.
                Err(_) if !process.is_alive() => continue,
                Err(error) => {
                    unreachable += 1;
                    denied.entry = Some(error);
                }
            }
            seen.insert(id);
        }
        self.unreachable = unreachable;
        Ok(denied)
    }

    /// Closes those where nothing wanted was found since this was last called.
    pub(super) fn tidy_up(&mut self) {
        let before = self.others.len();
        self.others
            .retain(|_, other| std::mem::take(&mut other.used));
        if self.others.len() != before {
            self.pace.hurry(Instant::now());
        }
    }

    fn open(&mut self, id: u64, process: &Process) -> io::Result<()> {
        if self.others.len() >= MAX {
            return Err(io::Error::other(format!("{MAX} others are asked at most")));
        }
        let place = Place::of(process, id)?;
        let other = Other {
            place,
            said: Said::default(),
            used: false,
        };
        self.others.insert(id, other);
        Ok(())
    }

    /// Asks each; what is known of it then is for `settle` to say. What fails is opened anew before it
    /// is asked again.
    fn each<T>(
        &mut self,
        mut ask: impl FnMut(&mut Place) -> io::Result<Vec<T>>,
        settle: impl Fn(&mut Said, &io::Result<Vec<T>>) -> Option<Vec<T>>,
    ) -> Found<T> {
        let asked = self.ask_own(&mut ask);
        let mut known = vec![settle(&mut self.own_said, &asked)];
        let mut result = asked.map(drop);
        self.others.retain(|_, other| {
            let asked = ask(&mut other.place);
            other.used |= asked.as_ref().is_ok_and(|found| !found.is_empty());
            known.push(settle(&mut other.said, &asked));
            let is_open = asked.is_ok();
            if let Err(error) = asked {
                result = Err(error);
            }
            is_open
        });
        if result.is_err() {
            self.pace.hurry(Instant::now());
        }
        let known: Option<Vec<Vec<T>>> = known.into_iter().collect();
        (
            known.map(|known| known.into_iter().flatten().collect()),
            result,
        )
    }

    fn ask_own<T>(
        &mut self,
        ask: &mut impl FnMut(&mut Place) -> io::Result<Vec<T>>,
    ) -> io::Result<Vec<T>> {
        let mut own = match self.own.take() {
            Some(own) => own,
            None => Place::own()?,
        };
        let found = ask(&mut own)?;
        self.own = Some(own);
        Ok(found)
    }
}

/// What it says, or said last: once, for then it is too old.
fn or_last<T: Clone>(last: &mut Option<Vec<T>>, asked: &io::Result<Vec<T>>) -> Option<Vec<T>> {
    let Ok(found) = asked else {
        return last.take();
    };
    *last = Some(found.clone());
    last.clone()
}

/// The number of our own.
fn own() -> Result<u64> {
    let myself = Process::myself().context("read of ourselves in /proc")?;
    namespace(&myself).context("read of our own network namespace in /proc")
}

#[cfg(test)]
mod tests;
