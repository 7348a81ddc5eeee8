//! The composition root: binds, attaches, serves, and ends in the reverse order.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    panic::resume_unwind,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use crate::{
    assembly::{self, Shared},
    cli::RunArgs,
    config::Config,
    confine::confine,
    http,
    kernel::{self, Kernel, Settings},
    live::{self, Ask, Door, Place},
    manager::{self, Manager},
    observer,
    reload::Reloader,
    signals::{Signals, Stop},
};

/// Default port of the scrape endpoint.
pub const PORT: u16 = 10_069;
/// What connections under way get when we stop: by then their client has asked, and reads.
const LAST_ANSWERS: Duration = Duration::from_millis(300);
/// What the last drain gets then.
const LAST_DRAIN: Duration = Duration::from_millis(500);
/// What the names of the last ports get.
const LAST_NAMES: Duration = Duration::from_millis(100);

/// Attached, bound and confined; nothing runs yet.
pub struct Prepared {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    settings: Settings,
    viewed: Option<(Place, UnixListener)>,
    kernel: Kernel,
}

/// Attaches and binds, and gives up what only that needs; nothing if a stop comes first. What is given
/// up is a thread's own: call it before there is a second one.
pub async fn prepare(config: &Config, stop: &mut Stop) -> Result<Option<Prepared>> {
    kernel::preflight()?;
    let listeners = http::bind(&config.listen, PORT)?;
    let addresses = addresses(&listeners)?;
    let settings = assembly::settings(config, &addresses)?;
    let viewed = place(config.live_socket.as_deref())?;
    let attached = tokio::select! {
        kernel = attach(settings.clone()) => Some(kernel?),
        () = stop.asked() => None,
    };
    let Some(kernel) = attached else {
        manager::stopping_early();
        tracing::info!("stopped before anything was observed");
        return Ok(None);
    };
    confine(kernel.needs_bpf());
    Ok(Some(Prepared {
        listeners,
        addresses,
        settings,
        viewed,
        kernel,
    }))
}

/// Attaches on a thread of its own, which is over then. A signal would have the verifier give up what
/// that thread loads (`EAGAIN`); it is another one's to handle.
async fn attach(settings: Settings) -> Result<Kernel> {
    let (done, attached) = oneshot::channel();
    let attaching = thread::Builder::new().name("attach".to_owned());
    let attaching = attaching.spawn(move || done.send(assembly::attach(&settings)).is_ok());
    let attaching = attaching.context("start a thread")?;
    let attached = attached.await;
    attaching
        .join()
        .unwrap_or_else(|panic| resume_unwind(panic));
    attached.context("nothing was attached")?
}

/// Observes until SIGINT or SIGTERM.
pub async fn run(
    args: RunArgs,
    config: Config,
    prepared: Prepared,
    signals: Signals,
) -> Result<()> {
    let Signals { mut stop, hangups } = signals;
    let wedge_after = args.wedge_after;
    let Prepared {
        listeners,
        addresses,
        settings,
        viewed,
        kernel,
    } = prepared;
    let (_place, viewed) = viewed.unzip();
    // Before anybody's connections take the descriptors.
    let thread = observer::Thread::new(&kernel)?;
    announce(&addresses, &settings);
    let status = status(&addresses, &kernel);
    let shared = Shared::default();
    let Shared { health, errors, .. } = shared.clone();
    let manager = Arc::new(Manager::start(Arc::clone(&health)).context("start a thread")?);
    let (scrapes, asked) = mpsc::channel(http::CONNECTIONS);
    let app = http::App {
        health: Arc::clone(&health),
        scrapes,
    };
    let (stop_serving, stopped) = watch::channel(false);
    let server = tokio::spawn(http::serve(
        asynchronous(listeners)?,
        http::router(app),
        Arc::clone(&errors),
        Arc::clone(&health),
        stopped,
    ));
    let (reloads, reloaded) = mpsc::channel(1);
    let reloader = Reloader {
        args,
        fixed: config.fixed.clone(),
        classifier: Arc::clone(&config.classifier),
        reloads,
        manager: Arc::clone(&manager),
        health: Arc::clone(&health),
        status: status.clone(),
    };

    let asks = watched_by(viewed, &shared, stop_serving.subscribe());
    let (observer, named) = assembly::assemble(&config, &settings, kernel, &shared)?;
    let (stop_observing, stop_asked) = watch::channel(false);
    let stop_observing_at = wedged_or(said(stop_asked), wedge_after);
    let observed =
        thread.start(|ring| observer.run(ring, asked, asks, reloaded, stop_observing_at))?;
    manager.ready(status);
    // A reload that was asked for meanwhile is told of behind that.
    tokio::spawn(reloader.run(hangups));
    let ended = async {
        stop.asked().await;
        manager.stopping();
        stop_serving.send_replace(true);
        // As long as there is somebody who knows the answers.
        if timeout(LAST_ANSWERS, server).await.is_err() {
            tracing::debug!("a connection did not end in time");
        }
        stop_observing.send_replace(true);
    };
    let observed = until_stopped(observed, ended).await;
    if timeout(LAST_NAMES, named).await.is_err() {
        tracing::debug!("the last ports are not named");
    }
    observed?;
    tracing::info!("stopped; nothing is attached any more");
    Ok(())
}

/// Ready when it is said.
async fn said(mut asked: watch::Receiver<bool>) {
    // Who asks lives longer.
    let _ = asked.wait_for(|asked| *asked).await;
}

/// For tests: after so many seconds whoever polls this stands still for ever.
async fn wedged_or(stop: impl Future<Output = ()>, seconds: Option<u64>) {
    let Some(seconds) = seconds else {
        return stop.await;
    };
    tokio::select! {
        () = stop => {}
        () = sleep(Duration::from_secs(seconds)) => loop {
            std::thread::park();
        },
    }
}

/// The observer's end: by itself, which is an error, or in the time that it has after `stop`.
async fn until_stopped(
    mut observed: oneshot::Receiver<io::Result<()>>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let observed = tokio::select! {
        observed = &mut observed => observed,
        () = stop => tokio::select! {
            observed = observed => observed,
            () = sleep(LAST_DRAIN) => {
                bail!("events were not being drained: stopped without a last drain")
            }
        },
    };
    observed
        .context("the observer panicked")?
        .context("watch the event ring")
}

/// Takes the place of the live socket. One that was named is wanted; without the default one it
/// goes on.
fn place(path: Option<&Path>) -> Result<Option<(Place, UnixListener)>> {
    let Some(path) = path else { return Ok(None) };
    match Place::take(path) {
        Ok(place) => Ok(Some(place)),
        Err(error) if path == Path::new(live::DEFAULT) => {
            tracing::warn!(
                "no live socket: {error:#}; top, explain and tail do not find this observer"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Serves viewers, if there is a place for them.
fn watched_by(
    viewed: Option<UnixListener>,
    shared: &Shared,
    stopped: watch::Receiver<bool>,
) -> mpsc::Receiver<Ask> {
    let (asks, asked) = mpsc::channel(live::VIEWERS);
    let Shared {
        viewers, errors, ..
    } = shared.clone();
    match viewed.map(Door::socket) {
        Some(Ok(door)) => drop(tokio::spawn(live::serve(
            door, asks, viewers, errors, stopped,
        ))),
        Some(Err(error)) => tracing::warn!("no live socket: {error}"),
        None => {}
    }
    asked
}

/// For the service manager.
fn status(addresses: &[SocketAddr], kernel: &Kernel) -> String {
    let probes = kernel.probes();
    let attached = probes.iter().filter(|probe| probe.attached.is_ok()).count();
    let places = addresses
        .iter()
        .map(|one| format!("http://{}/metrics", reachable(*one)));
    let places: Vec<String> = places.collect();
    format!(
        "observing with {attached} of {} probes; {}",
        probes.len(),
        places.join(", ")
    )
}

fn addresses(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>> {
    listeners
        .iter()
        .map(|listener| listener.local_addr().context("read the bound address"))
        .collect()
}

fn asynchronous(listeners: Vec<TcpListener>) -> Result<Vec<tokio::net::TcpListener>> {
    let convert = |listener: TcpListener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    };
    listeners
        .into_iter()
        .map(|listener| convert(listener).context("serve a listener"))
        .collect()
}

fn announce(addresses: &[SocketAddr], settings: &Settings) {
    for address in addresses {
        tracing::info!("metrics at http://{}/metrics", reachable(*address));
    }
    let ports = settings
        .http_ports
        .iter()
        .map(u16::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    match (settings.learn_ports, ports.as_str()) {
        (true, "") => {
            tracing::info!("watching HTTP on every port as it begins to listen; none does yet")
        }
        (true, ports) => {
            tracing::info!("watching HTTP on ports {ports}, and on others as they begin to listen")
        }
        (false, ports) => tracing::info!("watching HTTP on ports {ports} only"),
    }
}

/// An address that a person can open where the bound one means all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
    } else {
        address
    }
}
