//! The processes that serve.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    live::message::Server,
    model::{
        processes::{Process, Serves},
        track::UnderWay,
    },
    observer::Observer,
};

impl Observer {
    /// Those that have exchanges, and those that hold servers' sockets; most exchanges first.
    pub(super) fn serving(&self) -> Vec<Server> {
        let held = held(self.tracker.under_way());
        let ports = ports(&self.servers.owners);
        let server = |process: &Process| {
            let pid = &process.pid;
            let (exchanges, port) = held.get(pid).copied().unwrap_or_default();
            Server {
                pid: process.pid,
                comm: process.comm.clone(),
                port: if port == 0 {
                    ports.get(pid).copied().unwrap_or(0)
                } else {
                    port
                },
                exchanges,
                running: process.threads.running.into(),
                sleeping: process.threads.sleeping.into(),
                blocked: process.threads.blocked.into(),
                stopped: process.threads.stopped.into(),
                cpu_share: self.servers.cpu_share(*pid),
            }
        };
        let mut servers: Vec<Server> = self.servers.processes.iter().map(server).collect();
        servers.sort_by_key(|server| std::cmp::Reverse(server.exchanges));
        servers
    }
}

/// By process: exchanges that it has, and the port of one of them.
fn held(exchanges: impl Iterator<Item = UnderWay>) -> HashMap<u32, (u64, u16)> {
    let mut held: HashMap<u32, (u64, u16)> = HashMap::new();
    for exchange in exchanges {
        if let Some(pid) = exchange.pid {
            let (count, port) = held.entry(pid).or_default();
            *count += 1;
            *port = exchange.asked.tuple.server_port;
        }
    }
    held
}

/// By process: a port whose socket it holds.
fn ports(owners: &BTreeMap<Serves, BTreeSet<u32>>) -> HashMap<u32, u16> {
    let all = owners.iter().flat_map(|(serves, pids)| {
        let (Serves::Tcp(port) | Serves::Udp(port)) = serves;
        pids.iter().map(|pid| (*pid, *port))
    });
    all.collect()
}
