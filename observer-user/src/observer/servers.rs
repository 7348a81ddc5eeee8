//! Servers' queues and links: asked for once a second, of a thread that may take its time.

use observer_common::conn::Tuple;

use crate::{
    diag::Sampler,
    metrics::{Tally, Task},
    model::{
        links::Links,
        queues::Queues,
        sockets::{Sending, Wanted},
    },
};

/// What is known of them, and who finds out.
pub struct Servers {
    sampler: Sampler,
    pub(super) queues: Queues,
    pub(super) links: Links,
}

impl Servers {
    /// Nothing is known yet.
    pub fn new(sampler: Sampler, queues: Queues) -> Self {
        Self {
            sampler,
            queues,
            links: Links::default(),
        }
    }

    /// Asks what is to be known next, of these connections too.
    pub(super) fn ask(&self, connections: Vec<(u64, Tuple)>, tally: &mut Tally) {
        let wanted = Wanted {
            connections,
            ends: self.links.wanted(),
            ..self.queues.wanted()
        };
        if !self.sampler.ask(wanted) {
            tally.skip(Task::Sample, 1);
        }
    }

    /// Takes the answer, if there is one; returns how connections send.
    pub(super) fn take(&mut self) -> Vec<Sending> {
        let Some(sample) = self.sampler.take() else {
            return Vec::new();
        };
        self.queues.on_sample(&sample);
        self.links.on_sample(&sample.links);
        sample.sending
    }
}
