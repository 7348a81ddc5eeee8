//! Serves a router on listeners until told to stop. Bounded: so many connections at once, one
//! request each, so long for its head and for all of it.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    iter::from_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{interval, timeout},
};

use crate::{
    errors::{Errors, Failure},
    health::Health,
};

/// Scrapers, probes and a person or two, over all listeners.
pub const CONNECTIONS: usize = 64;
/// From connect to the blank line.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a request's head.
const HEAD_MAX: usize = 16 << 10;
/// A whole connection, so that a client that does not read holds its place no longer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// After a failed accept (out of descriptors): the next would fail at once, too.
const BACK_OFF: Duration = Duration::from_millis(100);
/// Says that it comes round as often, whether or not anybody connects.
const TURN: Duration = Duration::from_millis(250);

/// Serves until `stop` says true or is dropped; who connected before is answered still.
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    errors: Arc<Errors>,
    health: Arc<Health>,
    mut stop: watch::Receiver<bool>,
) {
    let mut turns = interval(TURN);
    let mut connections = Connections::default();
    loop {
        let accepted = tokio::select! {
            accepted = poll_fn(|context| poll_accept(&listeners, context)) => accepted,
            _ = turns.tick() => {
                health.served();
                continue;
            }
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok(stream) => connections.admit(connection(stream, router.clone())),
            Err(_) => {
                errors.count(Failure::Accept);
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
    for stream in listeners.into_iter().flat_map(queued).take(CONNECTIONS) {
        connections.admit(connection(stream, router.clone()));
    }
    while connections.running.join_next().await.is_some() {}
}

fn poll_accept(
    listeners: &[TcpListener],
    context: &mut Context<'_>,
) -> Poll<io::Result<TcpStream>> {
    let mut polled = listeners.iter().map(|one| one.poll_accept(context));
    match polled.find(Poll::is_ready) {
        Some(Poll::Ready(accepted)) => Poll::Ready(accepted.map(|(stream, _)| stream)),
        Some(Poll::Pending) | None => Poll::Pending,
    }
}

/// Who waits to be accepted, as the kernel has it: the runtime may not have heard of it yet.
fn queued(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    let listener = listener.into_std().ok();
    let accept = move || {
        let (stream, _) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    };
    from_fn(accept)
}

/// Those under way. Where there are as many as there may be, the oldest makes place for the new:
/// so nobody who holds connections open keeps a scraper out, who needs milliseconds.
#[derive(Default)]
struct Connections {
    running: JoinSet<()>,
    /// Oldest first; some may have ended.
    order: VecDeque<AbortHandle>,
}

impl Connections {
    fn admit(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        while self.running.try_join_next().is_some() {}
        self.order.retain(|connection| !connection.is_finished());
        if self.order.len() >= CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        self.order.push_back(self.running.spawn(connection));
    }
}

async fn connection(stream: TcpStream, router: Router) {
    // One request each: between two, a connection would only hold its place.
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // A client that breaks off, or is cut off, is its own affair.
    let _ = timeout(CONNECTION_TIMEOUT, served).await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::Instant,
    };

    use super::*;

    /// A server on so many listeners, and where they are.
    async fn start(listeners: usize) -> (Vec<std::net::SocketAddr>, watch::Sender<bool>) {
        let mut bound = Vec::new();
        for _ in 0..listeners {
            bound.push(TcpListener::bind("127.0.0.1:0").await.expect("bind"));
        }
        let address = |listener: &TcpListener| listener.local_addr().expect("bound");
        let addresses = bound.iter().map(address).collect();
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route("/", get(|| async { "hello" }));
        tokio::spawn(serve(
            bound,
            router,
            Arc::default(),
            Arc::default(),
            stopped,
        ));
        (addresses, stop)
    }

    async fn said(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        // A reset ends it as well.
        let _ = timeout(2 * CONNECTION_TIMEOUT, stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn ask(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connect");
        // It may be refused before it is all said.
        let _ = stream.write_all(request.as_bytes()).await;
        said(&mut stream).await
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

    #[tokio::test]
    async fn every_listener_answers() {
        let (addresses, _stop) = start(3).await;
        for address in addresses {
            let answer = ask(address, GET).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.ends_with("hello"), "{answer}");
        }
    }

    #[tokio::test]
    async fn who_holds_connections_keeps_nobody_out() {
        let (addresses, _stop) = start(2).await;
        let begun = Instant::now();
        let mut held = VecDeque::new();
        for n in 0..2 * CONNECTIONS {
            let address = addresses[n % 2];
            let mut stream = TcpStream::connect(address).await.expect("connect");
            stream.write_all(b"GET / HT").await.expect("begin");
            held.push_back(stream);
        }
        let answer = ask(addresses[0], GET).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        // The first of them made place, the last is heard out.
        assert_eq!(said(&mut held.pop_front().expect("the first")).await, "");
        assert!(begun.elapsed() < HEAD_TIMEOUT, "its time made place");
        let mut last = held.pop_back().expect("the last");
        last.write_all(b"TP/1.1\r\nHost: test\r\n\r\n")
            .await
            .expect("go on");
        assert!(said(&mut last).await.ends_with("hello"));
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused() {
        let (addresses, _stop) = start(1).await;
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(2 * HEAD_MAX));
        for (request, status) in [
            ("nonsense\r\n\r\n", "400 Bad Request"),
            ("GET / HTTP/3.0\r\n\r\n", "400 Bad Request"),
            (long.as_str(), "431 Request Header Fields Too Large"),
        ] {
            let answer = ask(addresses[0], request).await;
            let line = answer.lines().next().unwrap_or_default();
            assert_eq!(line, format!("HTTP/1.1 {status}"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time() {
        let (addresses, _stop) = start(1).await;
        let mut stream = TcpStream::connect(addresses[0]).await.expect("connect");
        stream
            .write_all(b"GET / HTTP/1.1\r\n")
            .await
            .expect("begin");
        let begun = Instant::now();
        said(&mut stream).await;
        assert!(begun.elapsed() <= 2 * HEAD_TIMEOUT, "{:?}", begun.elapsed());
    }

    /// It asks for more than buffers hold, and reads nothing.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        const LARGE: usize = 64 << 20;
        let router = Router::new().route("/", get(|| async { "x".repeat(LARGE) }));
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(serve(
            vec![listener],
            router,
            Arc::default(),
            Arc::default(),
            stopped,
        ));
        let mut stream = TcpStream::connect(address).await.expect("connect");
        stream.write_all(GET.as_bytes()).await.expect("ask");
        tokio::time::sleep(2 * CONNECTION_TIMEOUT).await;
        assert!(said(&mut stream).await.len() < LARGE);
    }

    /// Its request may wait for us in the kernel only.
    #[tokio::test]
    async fn who_connected_before_a_stop_is_answered() {
        let (addresses, stop) = start(2).await;
        let ask = |n: usize| {
            let mut stream = std::net::TcpStream::connect(addresses[n % 2]).expect("connect");
            std::io::Write::write_all(&mut stream, GET.as_bytes()).expect("ask");
            stream.set_nonblocking(true).expect("asynchronous");
            TcpStream::from_std(stream).expect("asynchronous")
        };
        let asked: Vec<TcpStream> = (0..20).map(ask).collect();
        stop.send(true).expect("it runs");
        for mut stream in asked {
            assert!(said(&mut stream).await.ends_with("hello"));
        }
    }

    #[tokio::test]
    async fn a_stop_closes_all_listeners() {
        let (addresses, stop) = start(2).await;
        stop.send(true).expect("it runs");
        for address in addresses {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    }
}
