//! The signals that the daemon is told by. They are handled from its first moment on, so that none
//! of them ends it before it observes.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What was told since [`Self::handle`]; it may be awaited in one runtime after the other.
pub struct Signals {
    /// To end.
    pub stop: Stop,
    /// To read the configuration anew.
    pub hangups: Signal,
}

/// SIGINT and SIGTERM.
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Handles them from now on.
    pub fn handle() -> Result<Self> {
        let handle = |kind, name| signal(kind).with_context(|| format!("handle {name}"));
        Ok(Self {
            stop: Stop {
                interrupt: handle(SignalKind::interrupt(), "SIGINT")?,
                terminate: handle(SignalKind::terminate(), "SIGTERM")?,
            },
            hangups: handle(SignalKind::hangup(), "SIGHUP")?,
        })
    }
}

impl Stop {
    /// Ready once we are to end.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => tracing::info!("SIGINT: stopping"),
            _ = self.terminate.recv() => tracing::info!("SIGTERM: stopping"),
        }
    }
}
