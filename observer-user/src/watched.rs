//! Says in the log which ports are watched, who serves them and why: each once.
//!
//! Who listens is read from procfs, which takes as long as the host has processes: on a task of
//! its own, for the ports of one transition at a time.

use std::collections::{BTreeMap, BTreeSet};

use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    diag::{self, Named, Owner},
    kernel::Notice,
};

/// Why a port is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The user named it.
    Pinned,
    /// Somebody listened when we came.
    Listening,
    /// A listener had a packet.
    Learned,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned by --http-port",
            Self::Listening => "it listened at start",
            Self::Learned => "learned from its first packet",
        }
    }
}

/// Ports that came to be watched together, and why.
pub type Batch = (Reason, BTreeSet<u16>);

/// Batches that wait to be named; the notices of more wait in the kernel.
const WAITING: usize = 4;
/// Processes named for one port.
const NAMED: usize = 3;

/// Where newly watched ports are told to.
pub struct Watched {
    batches: mpsc::Sender<Batch>,
    local_client: bool,
}

impl Watched {
    /// Starts the task that names them; it ends behind this value.
    pub fn start() -> (Self, JoinHandle<()>) {
        let (batches, told) = mpsc::channel(WAITING);
        let watched = Self {
            batches,
            local_client: false,
        };
        (watched, tokio::spawn(name_all(told)))
    }

    /// True if there is room for one more batch.
    pub fn has_room(&self) -> bool {
        self.batches.capacity() != 0
    }

    /// These ports are watched from now on.
    pub fn add(&self, reason: Reason, ports: BTreeSet<u16>) {
        if !ports.is_empty() {
            // Room was asked for; a task that is gone names nothing.
            let _ = self.batches.try_send((reason, ports));
        }
    }

    /// Takes what the kernel side told.
    pub fn on_notices(&mut self, notices: &[Notice]) {
        let mut learned = BTreeSet::new();
        for notice in notices {
            match notice {
                Notice::Learned(port) => {
                    learned.insert(*port);
                }
                Notice::LocalClient(port) => self.on_local_client(*port),
            }
        }
        self.add(Reason::Learned, learned);
    }

    fn on_local_client(&mut self, port: u16) {
        if !std::mem::replace(&mut self.local_client, true) {
            tracing::info!(
                "port {port} has clients on this host itself: what a reverse proxy here passes on \
                 counts twice, at the proxy and behind it; --local-clients ignore leaves out what \
                 arrives over loopback"
            );
        }
    }
}

async fn name_all(mut batches: mpsc::Receiver<Batch>) {
    let mut said = BTreeSet::new();
    while let Some((reason, mut ports)) = batches.recv().await {
        // Two processors may learn a port at once.
        ports.retain(|port| said.insert(*port));
        let owners = spawn_blocking(move || owners(ports));
        for (port, owner) in owners.await.unwrap_or_default() {
            tracing::info!(
                "watching port {port}: {}, {}",
                said_of(&owner, reason),
                reason.name()
            );
        }
    }
}

fn owners(ports: BTreeSet<u16>) -> BTreeMap<u16, Owner> {
    diag::owners(&ports).unwrap_or_else(|error| {
        tracing::debug!("processes are not named: {error:#}");
        ports.iter().map(|port| (*port, Owner::Unknown)).collect()
    })
}

fn said_of(owner: &Owner, reason: Reason) -> String {
    match owner {
        Owner::Processes(processes) => {
            let names = processes.iter().take(NAMED);
            let names: Vec<String> = names
                .map(|Named { comm, pid }| format!("{comm} (pid {pid})"))
                .collect();
            let more = processes.len() - names.len();
            let more = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            names.join(", ") + &more
        }
        Owner::Unknown => "process unknown".to_owned(),
        Owner::Nobody if reason == Reason::Pinned => "no process listens yet".to_owned(),
        // It did.
        Owner::Nobody => "process unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_told_with_its_processes() {
        let named = |pid| Named {
            comm: "httpd".to_owned(),
            pid,
        };
        let owner = |count| Owner::Processes((1..=count).map(named).collect());
        for (owner, reason, said) in [
            (owner(1), Reason::Learned, "httpd (pid 1)"),
            (
                owner(5),
                Reason::Listening,
                "httpd (pid 1), httpd (pid 2), httpd (pid 3) and 2 more",
            ),
            (Owner::Unknown, Reason::Pinned, "process unknown"),
            (Owner::Nobody, Reason::Pinned, "no process listens yet"),
            (Owner::Nobody, Reason::Learned, "process unknown"),
        ] {
            assert_eq!(said_of(&owner, reason), said);
        }
    }
}
