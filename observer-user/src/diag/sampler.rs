//! The thread that reads servers' queues and the links that they share, so that nobody who drains
//! events waits for it.

mod source;

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use self::source::Source;
use super::{
    netns::{Denied, Namespaces},
    processes::{self, Processes},
};
use crate::{
    errors::{Errors, Failure},
    model::{
        processes::Serves,
        sockets::{Listener, Sample, UdpSocket, Wanted},
    },
};

/// Questions to the thread, and its answers.
pub struct Sampler {
    questions: SyncSender<Wanted>,
    samples: Receiver<Sample>,
}

impl Sampler {
    /// Starts the thread; it ends behind this value.
    pub fn start(errors: Arc<Errors>) -> io::Result<Self> {
        let (questions, asked) = sync_channel::<Wanted>(1);
        let (answers, samples) = sync_channel(1);
        thread::Builder::new()
            .name("sample-sockets".to_owned())
            .spawn(move || {
                let mut reader = Reader::new(errors);
                for wanted in asked {
                    if answers.send(reader.sample(wanted)).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self { questions, samples })
    }

    /// Asks for a sample; false if it is still busy with an earlier one.
    pub fn ask(&self, wanted: Wanted) -> bool {
        self.questions.try_send(wanted).is_ok()
    }

    /// A sample that is ready.
    pub fn take(&self) -> Option<Sample> {
        self.samples.try_recv().ok()
    }
}

/// What the thread has.
struct Reader {
    namespaces: Namespaces,
    errors: Arc<Errors>,
    listen_queues: Source,
    udp_queues: Source,
    sending: Source,
    links: Source,
    searches: Source,
    processes: Processes,
    owners: Source,
    told: Told,
}

/// The sockets at servers' ports.
fn sockets(tcp: Option<&[Listener]>, udp: Option<&[UdpSocket]>) -> BTreeMap<u64, Serves> {
    let tcp = tcp.unwrap_or_default().iter();
    let tcp = tcp.map(|socket| (socket.inode, Serves::Tcp(socket.port)));
    let udp = udp.unwrap_or_default().iter();
    let udp = udp.map(|socket| (socket.inode, Serves::Udp(socket.port)));
    tcp.chain(udp).collect()
}

/// What is said once.
#[derive(Default)]
struct Told {
    hidden: bool,
    unreachable: bool,
}

impl Reader {
    fn new(errors: Arc<Errors>) -> Self {
        Self {
            namespaces: Namespaces::new(Instant::now()),
            errors,
            listen_queues: Source::new(
                Failure::ListenQueues,
                "listen queues cannot be read (that needs the kernel's tcp_diag)",
            ),
            udp_queues: Source::new(
                Failure::UdpQueues,
                "queues of UDP sockets cannot be read (that needs the kernel's udp_diag)",
            ),
            sending: Source::new(
                Failure::TcpInfo,
                "how connections send cannot be read (that needs the kernel's tcp_diag)",
            ),
            links: Source::new(Failure::Links, "network interfaces cannot be read"),
            searches: Source::new(
                Failure::Namespaces,
                "network namespaces of servers cannot be searched for",
            ),
            processes: Processes::new(),
            owners: Source::new(
                Failure::Owners,
                "processes of servers cannot be searched for",
            ),
            told: Told::default(),
        }
    }

    fn sample(&mut self, wanted: Wanted) -> Sample {
        if self.namespaces.is_search_due(&wanted) {
            let searched = self.namespaces.search(&wanted);
            let denied = self.searches.check(searched, &self.errors);
            self.tell(&denied.unwrap_or_default());
        }
        let (namespaces, errors) = (&mut self.namespaces, &self.errors);
        let (listeners, read) = namespaces.listeners(&wanted.tcp);
        self.listen_queues.check(read, errors);
        let (udp, read) = namespaces.udp(&wanted.udp);
        self.udp_queues.check(read, errors);
        let (sending, read) = namespaces.sending(&wanted.connections);
        self.sending.check(read, errors);
        let (links, read) = namespaces.interfaces(&wanted.ends);
        self.links.check(read, errors);
        namespaces.tidy_up();
        let sockets = sockets(listeners.as_deref(), udp.as_deref());
        let owners = self.processes.owners(&sockets, Instant::now());
        let owners = self.owners.check(owners, errors).unwrap_or_default();
        let mut pids = wanted.processes.clone();
        pids.extend(owners.values().flatten());
        Sample {
            unreachable: namespaces.unreachable(),
            wanted,
            listeners,
            udp,
            sending: sending.unwrap_or_default(),
            links,
            owners,
            processes: processes::read(&pids),
        }
    }

    fn tell(&mut self, denied: &Denied) {
        let first = |told: &mut bool| !std::mem::replace(told, true);
        if denied.a_look && first(&mut self.told.hidden) {
            tracing::info!(
                "the queues of servers in network namespaces of their own may not be known: where \
                 some processes live cannot be read (that needs CAP_SYS_PTRACE)"
            );
        }
        if let Some(why) = &denied.entry
            && first(&mut self.told.unreachable)
        {
            let fix = if why.kind() == io::ErrorKind::PermissionDenied {
                " (that needs CAP_SYS_ADMIN)"
            } else {
                ""
            };
            tracing::warn!(
                "the queues of servers in {} network namespaces are not known, they cannot be \
                 entered: {why}{fix}",
                self.namespaces.unreachable()
            );
        }
    }
}

#[cfg(test)]
mod tests;
