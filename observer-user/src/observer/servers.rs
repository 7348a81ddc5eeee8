//! Servers' queues and links: asked for once a second, of a thread that may take its time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use observer_common::conn::Tuple;

use crate::{
    clock::monotonic_ns,
    diag::Sampler,
    metrics::{Tally, Task},
    model::{
        links::Links,
        processes::{Process, Serves},
        queues::Queues,
        sockets::{Sample, Sending, Wanted},
    },
};

/// So many questions in a row that could not be asked, one a second, make what is known too old.
const STUCK: u32 = 5;

/// What is known of them, and who finds out.
pub struct Servers {
    sampler: Sampler,
    /// Questions that could not be asked, since the last answer.
    unasked: u32,
    pub(super) queues: Queues,
    pub(super) links: Links,
    /// What servers' processes do, as of the last answer.
    pub(super) processes: Vec<Process>,
    /// Of one processor, what each took since the answer before.
    shares: HashMap<u32, f64>,
    /// What each had taken by the last answer, and when that came.
    taken: (HashMap<u32, Duration>, u64),
    /// Whose the sockets at servers' ports are.
    pub(super) owners: BTreeMap<Serves, BTreeSet<u32>>,
}

impl Servers {
    /// Nothing is known yet.
    pub fn new(sampler: Sampler, queues: Queues) -> Self {
        Self {
            sampler,
            unasked: 0,
            queues,
            links: Links::default(),
            processes: Vec::new(),
            shares: HashMap::new(),
            taken: (HashMap::new(), 0),
            owners: BTreeMap::new(),
        }
    }

    /// Asks what is to be known next, of these connections and processes too.
    pub(super) fn ask(
        &mut self,
        connections: Vec<(u64, Tuple)>,
        processes: BTreeSet<u32>,
        tally: &mut Tally,
    ) {
        let wanted = Wanted {
            connections,
            processes,
            ends: self.links.wanted(),
            ..self.queues.wanted()
        };
        if self.sampler.ask(wanted) {
            return;
        }
        tally.skip(Task::Sample, 1);
        self.unasked += 1;
        if self.unasked == STUCK {
            tracing::warn!(
                "servers' queues and links are no longer known: the thread that reads them hangs"
            );
            self.take_in(Sample::default());
        }
    }

    /// Takes the answer, if there is one; returns how connections send.
    pub(super) fn take(&mut self) -> Vec<Sending> {
        let Some(mut sample) = self.sampler.take() else {
            return Vec::new();
        };
        if std::mem::take(&mut self.unasked) >= STUCK {
            tracing::info!("servers' queues and links are known again");
        }
        let sending = std::mem::take(&mut sample.sending);
        self.take_in(sample);
        sending
    }

    fn take_in(&mut self, sample: Sample) {
        self.queues.on_sample(&sample);
        self.links.on_sample(&sample.links);
        self.share(&sample.processes, monotonic_ns());
        self.processes = sample.processes;
        self.owners = sample.owners;
    }

    /// How much of a processor a process takes.
    pub(super) fn cpu_share(&self, pid: u32) -> f64 {
        self.shares.get(&pid).copied().unwrap_or(0.0)
    }

    fn share(&mut self, processes: &[Process], now_ns: u64) {
        let (before, then_ns) = &self.taken;
        let elapsed = Duration::from_nanos(now_ns.saturating_sub(*then_ns)).as_secs_f64();
        let share = |process: &Process| {
            let taken = process.cpu.checked_sub(*before.get(&process.pid)?)?;
            Some((process.pid, taken.as_secs_f64() / elapsed.max(0.1)))
        };
        self.shares = processes.iter().filter_map(share).collect();
        let taken = processes.iter().map(|process| (process.pid, process.cpu));
        self.taken = (taken.collect(), now_ns);
    }
}
