//! The access log: a row when an answer is over, whole or not.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{Method, StatusCode, Version, header},
    middleware::Next,
    response::Response,
};
use http_body::{Body as _, Frame, SizeHint};

/// Where the rows go.
#[derive(Clone)]
pub(crate) struct AccessLog(Arc<Mutex<File>>);

impl AccessLog {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// One write a row, so that none is half there. A log that cannot be written is found by
    /// whoever reads it.
    fn write(&self, row: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = file.write_all(row.as_bytes());
    }
}

/// Has an answer write its row when it is over. It is called with the request's head read.
pub(crate) async fn record(State(log): State<AccessLog>, request: Request, next: Next) -> Response {
    let (method, version) = (request.method().clone(), request.version());
    let target = request.uri().to_string();
    let read = Instant::now();
    let response = next.run(request).await;
    let handled = read.elapsed();
    let (head, body) = response.into_parts();
    let length = || {
        head.headers
            .get(header::CONTENT_LENGTH)?
            .to_str()
            .ok()?
            .parse()
            .ok()
    };
    let expected = body.size_hint().exact().or_else(length);
    let has_body = method != Method::HEAD && may_have_body(head.status);
    let body = Counted {
        is_chunked: has_body && expected.is_none() && version == Version::HTTP_11,
        is_complete: !has_body || expected == Some(0),
        expected,
        sent: 0,
        start: format!("{method}\t{target}\t{}", head.status.as_u16()),
        handled,
        body,
        log,
    };
    Response::from_parts(head, Body::new(body))
}

fn may_have_body(status: StatusCode) -> bool {
    !matches!(
        status,
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    )
}

/// A body that knows what it takes on the wire.
struct Counted {
    body: Body,
    is_chunked: bool,
    is_complete: bool,
    expected: Option<u64>,
    sent: u64,
    /// Method, target, status.
    start: String,
    handled: Duration,
    log: AccessLog,
}

impl Counted {
    fn count(&mut self, piece: &[u8]) {
        // hyper: the length in hexadecimal, CRLF, the piece, CRLF.
        let framing = if self.is_chunked && !piece.is_empty() {
            format!("{:x}\r\n\r\n", piece.len()).len()
        } else {
            0
        };
        self.sent += (piece.len() + framing) as u64;
        self.is_complete |= self.expected == Some(self.sent);
    }

    fn count_end(&mut self) {
        if self.is_chunked && !self.is_complete {
            self.sent += b"0\r\n\r\n".len() as u64;
        }
        self.is_complete = true;
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.count(frame.data_ref().map_or(&[], |piece| piece)),
            Some(Err(_)) => {}
            None => self.count_end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let end = if self.is_complete { "OK" } else { "" };
        let (start, sent) = (&self.start, self.sent);
        let handled = self.handled.as_secs_f64();
        self.log
            .write(&format!("{start}\t{sent}\t{end}\t{handled}\n"));
    }
}
