//! A thousand requests through a real nginx: our counts are its log's.

use std::{collections::BTreeMap, net::Ipv4Addr};

use tests::{
    client::{Request, curl},
    netns::{Netns, link},
    nginx::Nginx,
    observer::Observer,
    require_root, truth,
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
    let endpoints = BTreeMap::from(PATHS);
    truth::check(&scrape, &log, |target| endpoints[target].to_owned());
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
        .map(|n| (methods[n % methods.len()], PATHS[n % PATHS.len()].0).into())
        .collect()
}
