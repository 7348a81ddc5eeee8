//! Who listens, on which TCP port, in any network namespace of this host.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs, io,
    os::unix::fs::MetadataExt as _,
};

use anyhow::{Context as _, Result};
use procfs::{
    net::{TcpNetEntry, TcpState},
    process::{FDTarget, Process, all_processes},
};

/// A listening socket.
#[derive(Clone, Copy, Debug)]
struct Listener {
    port: u16,
    inode: u64,
    on_loopback: bool,
}

/// Who serves a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// These processes, the oldest of each socket.
    Processes(BTreeSet<Named>),
    /// Somebody listens, whom we may not see.
    Unknown,
    /// Nobody listens, as far as we see.
    Nobody,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// What it calls itself.
    pub comm: String,
    /// Its id.
    pub pid: i32,
}

/// Ports with a listener that is not bound to loopback only, ascending.
pub fn listening_ports() -> Result<Vec<u16>> {
    let listeners = listeners()?;
    let open = listeners.iter().filter(|listener| !listener.on_loopback);
    let ports: BTreeSet<u16> = open.map(|listener| listener.port).collect();
    Ok(ports.into_iter().collect())
}

/// Who listens on these ports. Reads the descriptors of every process until each socket is
/// found: not for the task that drains events.
pub fn owners(ports: &BTreeSet<u16>) -> Result<BTreeMap<u16, Owner>> {
    let mut owners: BTreeMap<u16, Owner> = ports.iter().map(|p| (*p, Owner::Nobody)).collect();
    let mut wanted = HashMap::new();
    for Listener { port, inode, .. } in listeners()? {
        if let Some(owner) = owners.get_mut(&port) {
            *owner = Owner::Unknown;
            wanted.insert(inode, port);
        }
    }
    for process in processes()? {
        if wanted.is_empty() {
            break;
        }
        for port in take_sockets(&process, &mut wanted) {
            let Ok(stat) = process.stat() else { break };
            let named = Named {
                comm: stat.comm,
                pid: process.pid(),
            };
            match owners.entry(port).or_insert(Owner::Unknown) {
                Owner::Processes(processes) => {
                    processes.insert(named);
                }
                owner @ (Owner::Unknown | Owner::Nobody) => {
                    *owner = Owner::Processes(BTreeSet::from([named]));
                }
            }
        }
    }
    Ok(owners)
}

/// The ports of those wanted sockets that a process holds; they are no longer wanted.
fn take_sockets(process: &Process, wanted: &mut HashMap<u64, u16>) -> Vec<u16> {
    // A process that is gone, or that we may not look into, holds none.
    let descriptors = process.fd().into_iter().flatten().flatten();
    descriptors
        .filter_map(|descriptor| {
            let FDTarget::Socket(inode) = descriptor.target else {
                return None;
            };
            wanted.remove(&inode)
        })
        .collect()
}

/// Every listening socket, of one process of each namespace.
fn listeners() -> Result<Vec<Listener>> {
    let mut seen = HashSet::new();
    let mut listeners = Vec::new();
    for process in processes()? {
        // One that is gone, or that we may not look into.
        let Ok(namespace) = namespace(&process) else {
            continue;
        };
        if seen.contains(&namespace) {
            continue;
        }
        let Ok(sockets) = process.tcp() else { continue };
        seen.insert(namespace);
        // Absent where IPv6 is off.
        let sockets = sockets
            .into_iter()
            .chain(process.tcp6().unwrap_or_default());
        listeners.extend(sockets.filter_map(listener));
    }
    Ok(listeners)
}

/// The number of a process's network namespace.
pub(super) fn namespace(process: &Process) -> io::Result<u64> {
    let path = format!("/proc/{}/ns/net", process.pid());
    fs::metadata(path).map(|namespace| namespace.ino())
}

fn listener(socket: TcpNetEntry) -> Option<Listener> {
    let address = socket.local_address;
    (socket.state == TcpState::Listen).then(|| Listener {
        port: address.port(),
        inode: socket.inode,
        on_loopback: address.ip().to_canonical().is_loopback(),
    })
}

/// All processes, the oldest first as far as ids tell.
pub(super) fn processes() -> Result<impl Iterator<Item = Process>> {
    Ok(all_processes().context("read /proc")?.flatten())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn listen(address: &str) -> (TcpListener, u16) {
        let listener = TcpListener::bind(address).expect("bind");
        let port = listener.local_addr().expect("bound").port();
        (listener, port)
    }

    #[test]
    fn loopback_listeners_are_left_out() {
        let ((_open, open), (_local, local)) = (listen("0.0.0.0:0"), listen("127.0.0.1:0"));
        let ports = listening_ports().expect("procfs");
        assert!(ports.contains(&open));
        assert!(!ports.contains(&local));
    }

    #[test]
    fn a_port_has_its_process() {
        let (listener, port) = listen("127.0.0.1:0");
        let owner = || {
            owners(&BTreeSet::from([port]))
                .expect("procfs")
                .remove(&port)
        };
        let Some(Owner::Processes(processes)) = owner() else {
            panic!("{:?}", owner());
        };
        let pids: Vec<i32> = processes.iter().map(|process| process.pid).collect();
        assert_eq!(pids, [std::process::id().cast_signed()]);
        drop(listener);
        assert_eq!(owner(), Some(Owner::Nobody));
    }
}
