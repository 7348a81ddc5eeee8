//! A thousand requests through a real nginx: our counts are its log's.

use std::{collections::BTreeMap, net::Ipv4Addr};

use tests::{
    client::{Request, curl},
    netns::{Netns, link},
    nginx::{Nginx, Row},
    observer::Observer,
    require_root,
    scrape::Scrape,
};

const PORT: u16 = 18_081;

/// What is asked, and the endpoint that the dragonfly profile gives it.
const PATHS: [(&str, &str); 9] = [
    ("/boot/52:54:00:ab:cd:ef", "boot"),
    ("/images/debian-13-amd64.qcow2", "image"),
    ("/os/debian-13/amd64", "os_image"),
    ("/boot-debian/x86_64/initramfs", "boot_debian_asset"),
    ("/boot/pxelinux.cfg/default", "pxelinux_config"),
    ("/ipxe/hookos/vmlinuz-x86_64", "ipxe_artifact"),
    ("/api/machines", "api"),
    ("/favicon.ico", "infra"),
    ("/images/missing.raw", "image"),
];

const FILES: [(&str, usize); 7] = [
    ("/boot/52:54:00:ab:cd:ef", 900),
    ("/images/debian-13-amd64.qcow2", 3_000_000),
    ("/os/debian-13/amd64", 1_000_000),
    ("/boot-debian/x86_64/initramfs", 200_000),
    ("/boot/pxelinux.cfg/default", 0),
    ("/ipxe/hookos/vmlinuz-x86_64", 65_536),
    ("/favicon.ico", 1),
];

type Counts = BTreeMap<(String, String, String), f64>;

#[test]
fn a_thousand_requests_equal_the_servers_log() {
    require_root();
    let (server, other) = (
        Netns::new("srv").expect("netns"),
        Netns::new("cli").expect("netns"),
    );
    let far = link(&other, &server, 1).expect("link").far;
    let nginx = Nginx::start(&server, PORT, &FILES).expect("nginx");
    let port = PORT.to_string();
    let observer =
        Observer::start(&["--http-port", &port, "--profile", "dragonfly"]).expect("observer");

    let requests = requests(250);
    let loopback = Ipv4Addr::LOCALHOST.into();
    let v6_loopback = std::net::Ipv6Addr::LOCALHOST.into();
    curl(&server, loopback, PORT, &requests, false).expect("IPv4, keep-alive");
    curl(&server, v6_loopback, PORT, &requests, true).expect("IPv6, close");
    curl(&other, far[0], PORT, &requests, true).expect("another namespace, IPv4, close");
    curl(&other, far[1], PORT, &requests, false).expect("another namespace, IPv6, keep-alive");

    let scrape = observer.scrape().expect("scrape");
    let log = nginx.stop().expect("nginx's log");
    assert_eq!(log.len(), 1_000);
    assert_eq!(counted(&scrape), logged(&log));
    assert_eq!(scrape.lost(), []);
    assert_eq!(scrape.sum("http_requests_in_flight", &[]), 0.0);
    histogram_equals_counter(&scrape);
    let (took, status, said) = observer.stop().expect("stop");
    assert!(
        status.success() && took.as_secs() < 1,
        "{status} after {took:?}: {said}"
    );
}

/// Mixed methods over all paths, the same each time.
fn requests(count: usize) -> Vec<Request<'static>> {
    let methods = ["GET", "GET", "HEAD", "GET", "POST"];
    (0..count)
        .map(|n| (methods[n % methods.len()], PATHS[n % PATHS.len()].0))
        .collect()
}

fn counted(scrape: &Scrape) -> Counts {
    let key = |labels: &tests::scrape::Labels| {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        (label("endpoint"), label("method"), label("status"))
    };
    let seen = scrape
        .series("http_requests_total")
        .filter(|(_, value)| *value != 0.0);
    seen.map(|(labels, value)| (key(labels), value)).collect()
}

fn logged(log: &[Row]) -> Counts {
    let endpoints = BTreeMap::from(PATHS);
    let mut counts = Counts::new();
    for row in log {
        let endpoint = endpoints[row.target.as_str()].to_owned();
        *counts
            .entry((endpoint, row.method.clone(), row.status.to_string()))
            .or_default() += 1.0;
    }
    counts
}

fn histogram_equals_counter(scrape: &Scrape) {
    for (labels, count) in scrape.series("http_request_duration_seconds_count") {
        let endpoint = labels["endpoint"].as_str();
        assert_eq!(
            count,
            scrape.sum("http_requests_total", &[("endpoint", endpoint)]),
            "{endpoint}"
        );
        let sum = scrape.sum(
            "http_request_duration_seconds_sum",
            &[("endpoint", endpoint)],
        );
        assert!(
            (sum > 0.0) == (count > 0.0),
            "{endpoint}: {sum} s in {count}"
        );
    }
}
