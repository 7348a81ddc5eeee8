//! Servers' queues: asked for once a second, of a thread that may take its time.

use crate::{
    diag::Sampler,
    metrics::{Tally, Task},
    model::queues::Queues,
};

/// What is known of them, and who finds out.
pub struct Servers {
    sampler: Sampler,
    pub(super) queues: Queues,
}

impl Servers {
    /// Nothing is known yet.
    pub fn new(sampler: Sampler, queues: Queues) -> Self {
        Self { sampler, queues }
    }

    /// Asks what is to be known next.
    pub(super) fn ask(&self, tally: &mut Tally) {
        if !self.sampler.ask(self.queues.wanted()) {
            tally.skip(Task::Sample, 1);
        }
    }

    /// Takes the answer, if there is one.
    pub(super) fn take(&mut self) {
        if let Some(sample) = self.sampler.take() {
            self.queues.on_sample(&sample);
        }
    }
}
