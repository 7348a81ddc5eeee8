//! What a scraper sees.

use tests::{client, observer::Observer, require_root};

#[test]
fn a_scrape_is_what_prometheus_expects() {
    require_root();
    let observer = Observer::start(&["--http-port", "18083"]).expect("observer");
    let scrape = observer.scrape().expect("scrape");
    assert_eq!(scrape.status, "HTTP/1.1 200 OK");
    assert_eq!(
        scrape.content_type,
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for probe in ["ingress", "egress", "recv", "destroy"] {
        assert_eq!(
            scrape.sum("pxe_observer_probe_attached", &[("probe", probe)]),
            1.0,
            "{probe}"
        );
    }
    assert_eq!(
        scrape.series("http_requests_in_flight").count(),
        13,
        "a gauge for each stage"
    );
    for (path, status) in [
        ("/healthz", "200 OK"),
        ("/", "200 OK"),
        ("/nothing", "404 Not Found"),
    ] {
        let answer = client::get(observer.address(), path).expect("an answer");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{path}: {answer}"
        );
    }
    observer.stop().expect("stop");
}
