//! `/metrics`, `/healthz`, `/livez`, `/`.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{RawQuery, Request, State},
    http::{
        HeaderMap, Method, StatusCode, Version,
        header::{CONNECTION, CONTENT_TYPE, HOST, VARY},
    },
    middleware::{Next, from_fn},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tower_http::{CompressionLevel, compression::CompressionLayer};

use super::negotiate;
use crate::{health::Health, metrics::Exposition};

/// Asks the observer for everything as it stands at this instant.
pub type ScrapeRequest = oneshot::Sender<Arc<Exposition>>;

/// How long a scrape waits for the observer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the routes serve from.
#[derive(Clone)]
pub struct App {
    /// Whether events are being drained.
    pub health: Arc<Health>,
    /// The way to the observer.
    pub scrapes: mpsc::Sender<ScrapeRequest>,
}

/// The routes; GET and HEAD only.
pub fn router(app: App) -> Router {
    // Text this repetitive shrinks to a twentieth at the level that takes least.
    let gzip = CompressionLayer::new()
        .gzip(true)
        .quality(CompressionLevel::Fastest);
    Router::new()
        .route("/", get(landing))
        .route("/metrics", get(scrape))
        .route("/healthz", get(healthz))
        .route("/livez", get(livez))
        .fallback(|| async {
            let what = "not found: there are /metrics, /healthz, /livez and /\n";
            (StatusCode::NOT_FOUND, what)
        })
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n")
        })
        .layer(from_fn(refuse))
        .layer(gzip)
        .with_state(app)
}

async fn landing() -> Html<&'static str> {
    Html(concat!(
        "<!doctype html><title>pxe-observer</title><h1>pxe-observer ",
        env!("CARGO_PKG_VERSION"),
        "</h1><p><a href=\"/metrics\">/metrics</a> <a href=\"/healthz\">/healthz</a>\n"
    ))
}

async fn scrape(State(app): State<App>, headers: HeaderMap) -> Response {
    let format = negotiate::format(&headers);
    match exposition(&app).await {
        Some(exposition) => {
            let head = [(CONTENT_TYPE, format.content_type()), (VARY, "accept")];
            (head, exposition.text(format).to_owned()).into_response()
        }
        None => {
            let why =
                "the observer did not answer: it is stopping, or events are not being drained\n";
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
    }
}

async fn exposition(app: &App) -> Option<Arc<Exposition>> {
    let (answer, answered) = oneshot::channel();
    let asked = timeout(PATIENCE, async {
        app.scrapes.send(answer).await.ok()?;
        answered.await.ok()
    });
    asked.await.ok()?
}

/// 200 only while events are being drained; behind `?verbose` all that there is to say.
async fn healthz(State(app): State<App>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let (status, state) = if app.health.is_draining() {
        (StatusCode::OK, "ok")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "kernel events are not being drained",
        )
    };
    let mut lines = vec![state.to_owned()];
    if query.is_some_and(|query| query.split('&').any(|part| part == "verbose")) {
        lines.extend(app.health.words());
    }
    (status, lines.join("\n") + "\n")
}

/// Whoever reads this was answered.
async fn livez() -> &'static str {
    "ok\n"
}

/// Refuses what no route can make sense of, in plain words.
async fn refuse(request: Request<Body>, next: Next) -> Response {
    let close = [(CONNECTION, "close")];
    if request.version() == Version::HTTP_11 && !request.headers().contains_key(HOST) {
        // RFC 9112 3.2.
        let why = "an HTTP/1.1 request has a Host header\n";
        return (StatusCode::BAD_REQUEST, close, why).into_response();
    }
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if reads && !request.body().is_end_stream() {
        let why = "a request has no body here\n";
        return (StatusCode::PAYLOAD_TOO_LARGE, close, why).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Bytes, to_bytes},
        http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING},
    };
    use tower::ServiceExt as _;

    use super::*;
    use crate::{health::Section, metrics::Format};

    struct Answer {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    }

    impl Answer {
        fn header(&self, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
            let value = self.headers.get(name)?;
            Some(value.to_str().expect("text"))
        }
    }

    async fn ask(app: &App, request: axum::http::request::Builder, body: Body) -> Answer {
        let request = request.header(HOST, "test").body(body).expect("a request");
        let response = router(app.clone()).oneshot(request).await;
        let (head, body) = response.expect("infallible").into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: to_bytes(body, 1 << 20).await.expect("the body"),
        }
    }

    async fn get(app: &App, path: &str) -> Answer {
        ask(app, Request::get(path), Body::empty()).await
    }

    /// An app, and an observer that answers each scrape.
    fn app() -> App {
        let (scrapes, mut asked) = mpsc::channel::<ScrapeRequest>(1);
        tokio::spawn(async move {
            let text = format!(
                "# HELP a A.\n# TYPE a counter\n{}# EOF\n",
                "a_total 1\n".repeat(1_000)
            );
            let exposition = Arc::new(Exposition::new(text));
            while let Some(answer) = asked.recv().await {
                answer
                    .send(Arc::clone(&exposition))
                    .expect("somebody waits");
            }
        });
        App {
            health: Arc::default(),
            scrapes,
        }
    }

    #[tokio::test]
    async fn a_scrape_is_in_the_format_asked_for() {
        let app = app();
        for (accept, format) in [
            ("*/*", Format::Plain),
            ("application/openmetrics-text", Format::OpenMetrics),
        ] {
            let request = || Request::get("/metrics").header(ACCEPT, accept);
            let answer = ask(&app, request(), Body::empty()).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header(CONTENT_TYPE), Some(format.content_type()));
            assert_eq!(answer.header(CONTENT_ENCODING), None);
            let ends = answer.body.ends_with(b"# EOF\n");
            assert_eq!(ends, format == Format::OpenMetrics, "{accept}");
            let head = ask(&app, request().method("HEAD"), Body::empty()).await;
            assert_eq!(head.status, StatusCode::OK);
            assert_eq!(head.header(CONTENT_TYPE), Some(format.content_type()));
            assert!(head.body.is_empty());
        }
    }

    #[tokio::test]
    async fn a_scrape_is_small_for_who_asks_for_it() {
        let app = app();
        let whole = get(&app, "/metrics").await.body.len();
        for (accepted, encoding) in [
            ("gzip", Some("gzip")),
            ("gzip;q=0", None),
            ("br, deflate", None),
            ("identity;q=0.5, gzip;q=0.8", Some("gzip")),
        ] {
            let request = Request::get("/metrics").header(ACCEPT_ENCODING, accepted);
            let answer = ask(&app, request, Body::empty()).await;
            assert_eq!(answer.header(CONTENT_ENCODING), encoding, "{accepted}");
            assert_eq!(answer.body.len() < whole / 10, encoding.is_some());
            let plain = Format::Plain.content_type();
            assert_eq!(answer.header(CONTENT_TYPE), Some(plain));
        }
    }

    #[tokio::test]
    async fn a_scrape_without_an_observer_is_refused() {
        let (scrapes, asked) = mpsc::channel(1);
        drop(asked);
        let health = Arc::default();
        let answer = get(&App { health, scrapes }, "/metrics").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn health_is_whether_events_are_drained() {
        let app = app();
        let unhealthy = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(get(&app, "/healthz").await.status, unhealthy);
        app.health.drained();
        assert_eq!(get(&app, "/healthz").await.status, StatusCode::OK);
        let head = ask(&app, Request::head("/healthz"), Body::empty()).await;
        assert_eq!(head.status, StatusCode::OK);
    }

    #[tokio::test]
    async fn health_in_words_is_for_who_asks_for_it() {
        let app = app();
        app.health
            .say(Section::Probes, ["probe recv: attached".to_owned()]);
        for (path, status, said) in [
            ("/livez", 200, "ok\n"),
            ("/healthz", 503, "kernel events are not being drained\n"),
            (
                "/healthz?verbose",
                503,
                "kernel events are not being drained\nprobe recv: attached\n",
            ),
            (
                "/healthz?a=b&verbose",
                503,
                "kernel events are not being drained\nprobe recv: attached\n",
            ),
        ] {
            let answer = get(&app, path).await;
            assert_eq!(answer.status.as_u16(), status, "{path}");
            assert_eq!(answer.body, said, "{path}");
        }
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_refused_in_plain_words() {
        let app = app();
        let body = || Body::from("a body");
        for (request, body, status, says) in [
            (Request::post("/metrics"), body(), 405, "GET and HEAD only"),
            (Request::get("/metrics"), body(), 413, "has no body"),
            (Request::get("/nothing"), Body::empty(), 404, "not found"),
            (Request::get("/"), Body::empty(), 200, "pxe-observer"),
        ] {
            let answer = ask(&app, request, body).await;
            assert_eq!(answer.status.as_u16(), status, "{says}");
            assert!(answer.header(CONTENT_TYPE).is_some(), "{says}");
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(said.contains(says), "{said}");
            // RFC 9110 15.5.6.
            let allow = (status == 405).then_some("GET,HEAD");
            assert_eq!(answer.header(ALLOW), allow, "{says}");
        }
        let nameless = Request::get("/").body(Body::empty()).expect("a request");
        let answer = router(app).oneshot(nameless).await.expect("infallible");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
}
