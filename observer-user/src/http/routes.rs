//! `/metrics`, `/healthz`, `/`.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use prometheus_client::registry::Registry;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{health::Health, metrics};

/// Asks the observer to bring everything up to this instant; answered when it has.
pub type ScrapeRequest = oneshot::Sender<()>;

/// How long a scrape waits for the observer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the routes serve from.
#[derive(Clone)]
pub struct App {
    /// All families.
    pub registry: Arc<Registry>,
    /// Whether events are being drained.
    pub health: Arc<Health>,
    /// The way to the observer.
    pub scrapes: mpsc::Sender<ScrapeRequest>,
}

/// The routes; GET and HEAD only.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(landing))
        .route("/metrics", get(scrape))
        .route("/healthz", get(healthz))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                "not found: there are /metrics, /healthz and /\n",
            )
        })
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n")
        })
        .with_state(app)
}

async fn landing() -> Html<&'static str> {
    Html(concat!(
        "<!doctype html><title>pxe-observer</title><h1>pxe-observer ",
        env!("CARGO_PKG_VERSION"),
        "</h1><p><a href=\"/metrics\">/metrics</a> <a href=\"/healthz\">/healthz</a>\n"
    ))
}

async fn scrape(State(app): State<App>) -> Response {
    if !refreshed(&app).await {
        let why = "the observer did not answer: it is stopping, or events are not being drained\n";
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    }
    match metrics::encode(&app.registry) {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics could not be encoded\n",
        )
            .into_response(),
    }
}

async fn refreshed(app: &App) -> bool {
    let (done, answer) = oneshot::channel();
    let asked = timeout(PATIENCE, async {
        app.scrapes.send(done).await.is_ok() && answer.await.is_ok()
    });
    asked.await.unwrap_or(false)
}

async fn healthz(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.health.is_draining() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "kernel events are not being drained\n",
        )
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(app: &App, method: &str, path: &str) -> (StatusCode, Option<String>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .expect("a request");
        let response = router(app.clone())
            .oneshot(request)
            .await
            .expect("infallible");
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().expect("text").to_owned());
        (response.status(), content_type)
    }

    fn app() -> (App, mpsc::Receiver<ScrapeRequest>) {
        let (scrapes, asked) = mpsc::channel(1);
        (
            App {
                registry: Arc::default(),
                health: Arc::default(),
                scrapes,
            },
            asked,
        )
    }

    #[tokio::test]
    async fn a_scrape_waits_for_the_observer() {
        let (app, mut asked) = app();
        let observer = tokio::spawn(async move { asked.recv().await.map(|done| done.send(())) });
        let (status, content_type) = ask(&app, "GET", "/metrics").await;
        assert_eq!(
            (status, content_type.as_deref()),
            (StatusCode::OK, Some(metrics::CONTENT_TYPE))
        );
        assert!(observer.await.expect("no panic").is_some());
    }

    #[tokio::test]
    async fn a_scrape_without_an_observer_is_refused() {
        let (app, asked) = app();
        drop(asked);
        assert_eq!(
            ask(&app, "GET", "/metrics").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }

    #[tokio::test]
    async fn health_is_whether_events_are_drained() {
        let (app, _asked) = app();
        assert_eq!(
            ask(&app, "GET", "/healthz").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        app.health.drained();
        assert_eq!(ask(&app, "GET", "/healthz").await.0, StatusCode::OK);
        assert_eq!(ask(&app, "HEAD", "/healthz").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn other_methods_and_paths_are_refused() {
        let (app, _asked) = app();
        assert_eq!(
            ask(&app, "POST", "/metrics").await.0,
            StatusCode::METHOD_NOT_ALLOWED
        );
        assert_eq!(ask(&app, "GET", "/nothing").await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(&app, "GET", "/").await.0, StatusCode::OK);
    }
}
