//! A small real server on axum and hyper: files, and answers of every framing. Its access log
//! is written as the others write theirs.

mod answers;
mod log;

use std::{future::IntoFuture as _, net::Ipv6Addr, path::PathBuf};

use anyhow::{Context as _, Result};
use axum::{Router, middleware};
use clap::Parser;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tower_http::services::ServeDir;

use crate::log::AccessLog;

/// A server on axum and hyper, for tests
#[derive(Parser)]
struct Args {
    /// Served on every address
    port: u16,
    /// Has the files in `www`, gets `access.log`
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Args { port, folder } = Args::parse();
    let log = AccessLog::create(&folder.join("access.log"))?;
    let app = Router::new()
        .nest("/api", answers::routes())
        .fallback_service(ServeDir::new(folder.join("www")))
        .layer(middleware::from_fn_with_state(log, log::record));
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .await
        .with_context(|| format!("listen on port {port}"))?;
    let mut asked_to_stop = signal(SignalKind::terminate())?;
    // What is still answered is dropped with the runtime, and writes its row then.
    tokio::select! {
        _ = asked_to_stop.recv() => Ok(()),
        served = axum::serve(listener, app).into_future() => served.context("serve"),
    }
}
