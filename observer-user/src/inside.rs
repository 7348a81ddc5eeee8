//! An observer in the process of its only viewer: it serves no metrics, has no socket, and is gone
//! with that process.

use std::{os::unix::net::UnixStream, panic::resume_unwind, thread};

use anyhow::{Context as _, Result};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot, watch},
};

use crate::{
    assembly::{self, Shared},
    config::Config,
    confine::confine,
    kernel::{self, Kernel},
    live::{self, Door, client::Way},
    observer,
};

/// It observes as long as there is this value.
pub struct Inside {
    way: Way,
    /// Who serves the viewer; there, until it is dropped.
    runtime: Option<Runtime>,
    /// The observer ends once this is dropped.
    _stop: oneshot::Sender<()>,
}

impl Inside {
    /// Attaches, and gives up what only that needs: call it before there is a second thread.
    pub fn start(config: &Config) -> Result<Self> {
        kernel::preflight()?;
        let settings = assembly::settings(config, &[])?;
        let attached = thread::scope(|scope| scope.spawn(|| assembly::attach(&settings)).join());
        let kernel = attached.unwrap_or_else(|panic| resume_unwind(panic))?;
        confine(kernel.needs_bpf());
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("start the runtime")?;
        let (streams, viewers) = mpsc::channel(live::VIEWERS);
        let stop = {
            let _entered = runtime.enter();
            begin(config, &settings, kernel, viewers)?
        };
        Ok(Self {
            way: Way::Inside(streams),
            runtime: Some(runtime),
            _stop: stop,
        })
    }

    /// Where it is asked.
    pub fn way(&self) -> Way {
        self.way.clone()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Who reads procfs at length is not waited for.
            runtime.shutdown_background();
        }
    }
}

fn begin(
    config: &Config,
    settings: &kernel::Settings,
    kernel: Kernel,
    viewers: mpsc::Receiver<UnixStream>,
) -> Result<oneshot::Sender<()>> {
    let thread = observer::Thread::new(&kernel)?;
    let shared = Shared::default();
    let (observer, _) = assembly::assemble(config, settings, kernel, &shared)?;
    let (asks, asked) = mpsc::channel(live::VIEWERS);
    let (observing, ended) = watch::channel(false);
    let door = Door::Inside(viewers);
    let Shared {
        viewers, errors, ..
    } = shared;
    tokio::spawn(live::serve(door, asks, viewers, errors, ended));
    // Nobody scrapes it or has it reload.
    let ((_, scrapes), (_, reloads)) = (mpsc::channel(1), mpsc::channel(1));
    let (stop, stopped) = oneshot::channel();
    // Nobody says it: who would is gone then.
    let stopped = async { drop(stopped.await) };
    thread.start(|ring| async move {
        // Dropped with it, however it ends: then viewers are let go.
        let _observing = observing;
        observer.run(ring, scrapes, asked, reloads, stopped).await
    })?;
    Ok(stop)
}
