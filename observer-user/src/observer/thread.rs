//! The thread that an observer has to itself. A runtime with others in it would not look at their
//! sockets while the drain loop stands still.

use std::{future::Future, io, os::fd::OwnedFd, thread};

use anyhow::{Context as _, Result};
use tokio::{
    io::unix::AsyncFd,
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use crate::kernel::Kernel;

/// Not started; it has the descriptors that it will need.
pub struct Thread {
    /// First: it leaves the runtime.
    ring: AsyncFd<OwnedFd>,
    runtime: Runtime,
}

impl Thread {
    /// For an observer of this kernel side.
    pub fn new(kernel: &Kernel) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("start the observer's runtime")?;
        let ring = {
            let _inside = runtime.enter();
            kernel.ring().context("watch the event ring")?
        };
        Ok(Self { runtime, ring })
    }

    /// Runs an observer on it, given the ring. Ready when that has ended, an error if it panicked.
    pub fn start<F>(
        self,
        observe: impl FnOnce(AsyncFd<OwnedFd>) -> F,
    ) -> Result<oneshot::Receiver<io::Result<()>>>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let Self { runtime, ring } = self;
        let (observing, (end, ended)) = (observe(ring), oneshot::channel());
        let run = move || {
            let observed = runtime.block_on(observing);
            runtime.shutdown_background();
            // Who does not wait any more needs no word.
            let _ = end.send(observed);
        };
        let thread = thread::Builder::new().name("observer".to_owned());
        thread.spawn(run).context("start a thread")?;
        Ok(ended)
    }
}
