//! Reads the configuration anew at SIGHUP: all of it is taken over, or nothing and it is said why.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::Signal,
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};

use crate::{
    cli::RunArgs,
    config::Config,
    health::{Health, Section},
    manager::Manager,
    model::{classify::Classifier, verdict::Thresholds},
};

/// What a reload changes.
#[derive(Clone)]
pub struct Terms {
    /// The endpoints; those of before keep their numbers.
    pub classifier: Arc<Classifier>,
    /// From where on somebody is said to starve.
    pub thresholds: Thresholds,
    /// Transfers stand still once nothing moved for so long, nanoseconds.
    pub stalled_after_ns: u64,
}

/// Told to who owns the state: new terms, or none where the old ones stay. It is answered once that
/// is done.
pub type Reload = (Option<Terms>, oneshot::Sender<()>);

/// Who reloads.
pub struct Reloader {
    /// As typed: flags win again.
    pub args: RunArgs,
    /// What only a restart changes, as it was at the start.
    pub fixed: BTreeMap<&'static str, String>,
    /// The rules in force.
    pub classifier: Arc<Classifier>,
    /// The way to who owns the state.
    pub reloads: mpsc::Sender<Reload>,
    /// Who is told.
    pub manager: Arc<Manager>,
    /// Where it is said.
    pub health: Arc<Health>,
    /// What we do, in words.
    pub status: String,
}

impl Reloader {
    /// Reloads at each signal.
    pub async fn run(mut self, mut hangups: Signal) {
        while hangups.recv().await.is_some() {
            self.manager.reloading();
            let read = self.read().await;
            let outcome = match &read {
                Ok(_) => "reloaded".to_owned(),
                Err(error) => format!("not reloaded, the old one stays: {error:#}"),
            };
            self.tell(read.ok()).await;
            if outcome == "reloaded" {
                tracing::info!("SIGHUP: the configuration is {outcome}");
            } else {
                tracing::error!("SIGHUP: the configuration is {outcome}");
            }
            let said = format!("configuration {outcome}");
            self.health.say(Section::Configuration, [said]);
            self.manager.ready(self.status.clone());
        }
    }

    async fn read(&mut self) -> Result<Terms> {
        let args = self.args.clone();
        let config = spawn_blocking(move || Config::from_args(&args)).await;
        let config = config.context("reading it panicked")??;
        let classifier = Arc::unwrap_or_clone(config.classifier).succeeding(&self.classifier)?;
        self.tell_of_fixed(&config.fixed);
        self.classifier = Arc::new(classifier);
        Ok(Terms {
            classifier: Arc::clone(&self.classifier),
            thresholds: config.thresholds,
            stalled_after_ns: config.stalled_after_ns,
        })
    }

    fn tell_of_fixed(&self, read: &BTreeMap<&'static str, String>) {
        let changed = |key: &&&str| read.get(**key) != self.fixed.get(**key);
        let changed: Vec<&str> = read.keys().filter(changed).copied().collect();
        if !changed.is_empty() {
            let keys = changed.join(", ");
            tracing::warn!(
                "changed in the configuration, but only a restart takes it over: {keys}"
            );
        }
    }

    /// Waits until it is taken over.
    async fn tell(&self, terms: Option<Terms>) {
        let (done, taken) = oneshot::channel();
        if self.reloads.send((terms, done)).await.is_ok() {
            // Who ends meanwhile takes nothing over.
            let _ = taken.await;
        }
    }
}
