//! An observer is put together here: for the daemon, and for `top` where there is none.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result, bail};
use rustix::process::setpriority_process;
use tokio::task::JoinHandle;

use crate::{
    cli::LocalClients,
    config::Config,
    diag,
    errors::Errors,
    health::{Health, Section},
    kernel::{Hook, Kernel, Settings},
    live::Viewers,
    metrics::Metrics,
    model::{queues::Queues, tftp::Transfers, track::Tracker, verdict::Verdict},
    observer::{Observer, Parts, Servers, Views},
    watched::{Reason, Watched},
};

/// What an observer has in common with those around it.
#[derive(Clone, Default)]
pub struct Shared {
    /// Whether events are being drained.
    pub health: Arc<Health>,
    /// What could not be done.
    pub errors: Arc<Errors>,
    /// Who watches.
    pub viewers: Arc<Viewers>,
}

/// Pinned ports and only they, or what listens now and what will. Never our own.
pub fn settings(config: &Config, own: &[SocketAddr]) -> Result<Settings> {
    let own: Vec<u16> = own.iter().map(SocketAddr::port).collect();
    let ignored_ports = [own.as_slice(), &config.ignored_ports].concat();
    let learn_ports = config.http_ports.is_empty();
    if let Some(port) = config.http_ports.iter().find(|port| own.contains(port)) {
        bail!(
            "--http-port {port} is where pxe-observer itself serves: give --web.listen-address another port"
        );
    }
    let mut http_ports = config.http_ports.clone();
    if learn_ports {
        http_ports = diag::listening_ports().unwrap_or_else(|error| {
            tracing::warn!("ports are learned from their first packet only: {error:#}");
            Vec::new()
        });
        http_ports.retain(|port| !ignored_ports.contains(port));
    }
    Ok(Settings {
        http_ports,
        tftp_ports: config.tftp_ports.clone(),
        ignored_ports,
        learn_ports,
        ignore_local: config.local_clients == LocalClients::Ignore,
        max_connections: config.max_connections,
        ring_bytes: config.ring_bytes,
    })
}

/// What attaches gives way to servers: a third of a second of both processors of a small host would be
/// felt by who is served meanwhile.
const GIVES_WAY: i32 = 10;

/// Attaches on the calling thread, which is to end then: it stays behind all others.
pub fn attach(settings: &Settings) -> Result<Kernel> {
    // Of this thread and of those that it starts (setpriority(2)); without it, it goes on.
    let _ = setpriority_process(None, GIVES_WAY);
    Kernel::attach(settings)
}

/// An observer that has not begun, and the task that names in the log what it watches.
pub fn assemble(
    config: &Config,
    settings: &Settings,
    kernel: Kernel,
    shared: &Shared,
) -> Result<(Observer, JoinHandle<()>)> {
    let (watched, named) = Watched::start();
    let reason = if settings.learn_ports {
        Reason::Listening
    } else {
        Reason::Pinned
    };
    watched.add(reason, settings.http_ports.iter().copied().collect());
    let probes = kernel.probes().iter().map(ToString::to_string);
    shared.health.say(Section::Probes, probes);
    let queues = Queues::new(&config.http_ports, &config.tftp_ports, config.tftp_pinned);
    let sampler = diag::Sampler::start(Arc::clone(&shared.errors)).context("start a thread")?;
    let (rules, endpoints) = (&config.classifier, config.classifier.endpoints());
    let sees_pickup = kernel.is_attached(Hook::Recv);
    let observer = Observer::new(Parts {
        kernel,
        tracker: Tracker::new(Arc::clone(rules))
            .bounded(config.max_connections)
            .stalled_after(config.stalled_after_ns)
            .sees_pickup(sees_pickup),
        transfers: Transfers::new(Arc::clone(rules)).stalled_after(config.stalled_after_ns),
        metrics: Metrics::new(endpoints),
        watched,
        servers: Servers::new(sampler, queues),
        views: Views::new(Arc::clone(rules), Arc::clone(&shared.viewers)),
        verdict: Verdict::new(endpoints, config.thresholds),
        health: Arc::clone(&shared.health),
        errors: Arc::clone(&shared.errors),
    });
    Ok((observer, named))
}
