//! Hostile traffic does not make series.

use std::{
    io::{BufReader, Write as _},
    net::TcpListener,
    thread,
};

use observer_user::{metrics::Metrics, model::classify::Classifier};
use tests::{client, scrape::Scrape, stage::Stage};

const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW", "PURGE",
];
const STATUSES: std::ops::Range<u16> = 200..600;

#[test]
fn methods_statuses_and_paths_make_no_more_series_than_the_limit() {
    let stage = Stage::new("series", 18_212).expect("stage");
    let listener = stage.listen().expect("listen");
    let server = thread::spawn(move || serve(&listener));
    let mut stream = BufReader::new(stage.connect().expect("connect"));
    let mut asked = 0;
    for status in STATUSES {
        for method in METHODS {
            let request = format!(
                "{method} /{}/{status}/{asked:x} HTTP/1.1\r\nHost: test\r\n\r\n",
                ["boot", "images", "os", "api", "ipxe", "nonsense"][asked % 6]
            );
            stream.get_mut().write_all(request.as_bytes()).expect("ask");
            client::read_head(&mut stream).expect("an answer");
            asked += 1;
        }
    }
    drop(stream);
    server.join().expect("server");
    let total = |scrape: &Scrape| scrape.sum("http_requests_total", &[]);
    let scrape = stage.observer.until(|scrape| total(scrape) == asked as f64);
    let scrape = scrape.expect("all counted");
    assert_eq!(scrape.lost(), []);
    let series = scrape.sum("pxe_observer_series", &[]);
    assert_eq!(series, scrape.all().count() as f64);
    let limit = scrape.sum("pxe_observer_series_limit", &[]);
    let computed = Metrics::new(Classifier::dragonfly().endpoints()).series_limit();
    assert_eq!(limit, computed as f64);
    assert!(series <= limit, "{series} of {limit}");
    for endpoint in Classifier::dragonfly().endpoints() {
        let of = |(labels, _): &(&_, _)| has(labels, endpoint);
        assert!(scrape.series("http_requests_total").filter(of).count() <= 48);
    }
    let overflow = scrape.sum("pxe_observer_label_overflow_total", &[]);
    assert!(overflow > 1_000.0, "{overflow} did not fit");
    stage.observer.stop().expect("stop");
}

fn has(labels: &tests::scrape::Labels, endpoint: &str) -> bool {
    labels
        .get("endpoint")
        .is_some_and(|found| found == endpoint)
}

/// Answers each request of one connection with the status that its path has.
fn serve(listener: &TcpListener) {
    let (stream, _) = listener.accept().expect("accept");
    client::prepare(&stream).expect("prepare");
    let mut stream = BufReader::new(stream);
    while let Ok(head) = client::read_head(&mut stream) {
        let status = head.split('/').nth(2).unwrap_or_default();
        let length = if ["204", "304"].contains(&status) {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let answer = format!("HTTP/1.1 {status} X\r\n{length}\r\n");
        stream
            .get_mut()
            .write_all(answer.as_bytes())
            .expect("answer");
    }
}
