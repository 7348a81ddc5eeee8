//! Serves a router on listeners until told to stop. Bounded: so many connections at once,
//! so long for a request head.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

/// Scrapers, probes and a person or two.
const CONNECTIONS: usize = 64;
/// From connect to the blank line.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A whole connection, so that a client that does not read holds its place no longer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// After a failed accept (out of descriptors): the next would fail at once, too.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Serves until `stop` says true or is dropped; connections under way finish their answer.
pub async fn serve(listeners: Vec<TcpListener>, router: Router, stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(
            listener,
            router.clone(),
            Arc::clone(&places),
            stop.clone(),
        ));
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept(
    listener: TcpListener,
    router: Router,
    places: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (Ok(place), accepted) = (tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => break,
        }) else {
            break;
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    connection(stream, router, stop).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(BACK_OFF).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(served);
    tokio::select! {
        // A client that breaks off, or is cut off, is its own affair.
        _ = timeout(CONNECTION_TIMEOUT, &mut served) => return,
        _ = stop.wait_for(|stop| *stop) => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}
