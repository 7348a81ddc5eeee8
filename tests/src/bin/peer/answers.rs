//! One route for each way an answer can be framed, or broken.

use std::{convert::Infallible, io, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What an upgraded connection is greeted with.
const GREETING: &[u8] = &[0xff; 10_000];

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/fixed/{size}", get(fixed))
        .route("/chunked/{count}/{size}", get(chunked))
        .route("/delay/{milliseconds}", get(delay))
        .route("/status/{code}", get(status))
        .route("/events", get(events))
        .route("/upload", post(upload))
        .route("/refuse", post(refuse))
        .route("/upgrade", get(upgrade))
        .route("/cut/length/{promised}/{sent}", get(cut_length))
        .route("/cut/chunked/{sent}", get(cut_chunked))
}

async fn fixed(Path(size): Path<usize>) -> Vec<u8> {
    vec![b'x'; size]
}

/// hyper sends each piece as a chunk; to a client of HTTP/1.0, without framing.
async fn chunked(Path((count, size)): Path<(usize, usize)>) -> Body {
    let piece = Bytes::from(vec![b'x'; size]);
    let pieces = stream::repeat(Ok::<_, Infallible>(piece)).take(count);
    Body::from_stream(pieces)
}

async fn delay(Path(milliseconds): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    "late"
}

async fn status(Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}

/// One event, and then none for ever.
async fn events() -> impl IntoResponse {
    let first = Ok::<_, Infallible>(Bytes::from_static(b"data: hello\n\n"));
    let events = stream::once(async { first }).chain(stream::pending());
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(events),
    )
}

/// Whoever waits for `100 Continue` gets it: hyper sends it when the body is asked for.
async fn upload(body: Body) -> Result<String, StatusCode> {
    let whole = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(whole.to_bytes().len().to_string())
}

/// An answer that comes before the request's body.
async fn refuse() -> StatusCode {
    StatusCode::PAYLOAD_TOO_LARGE
}

/// Leaves HTTP: a greeting, then an echo until the client has said all.
async fn upgrade(mut request: Request) -> Response {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let mut stream = TokioIo::new(upgraded);
        let mut buffer = vec![0; 1 << 16];
        let mut said = stream.write_all(GREETING).await;
        while said.is_ok() {
            let Ok(len @ 1..) = stream.read(&mut buffer).await else {
                return;
            };
            said = stream.write_all(&buffer[..len]).await;
        }
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "raw")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn cut_length(Path((promised, sent)): Path<(usize, usize)>) -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_LENGTH, promised.into());
    (headers, breaks_after(sent))
}

async fn cut_chunked(Path(sent): Path<usize>) -> Body {
    breaks_after(sent)
}

/// hyper closes the connection of a body that fails, once what came before it is sent.
fn breaks_after(sent: usize) -> Body {
    let piece = Bytes::from(vec![b'x'; sent]);
    let failure = Err(io::Error::other("cut off"));
    let flushed = async {
        tokio::task::yield_now().await;
        failure
    };
    Body::from_stream(stream::once(async { Ok(piece) }).chain(stream::once(flushed)))
}
