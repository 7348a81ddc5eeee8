//! Ten thousand mixed requests to nginx, from everywhere and of every size: counts and bytes
//! equal its log.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    thread,
};

use tests::{
    client::{Request, curl},
    netns::{Netns, link},
    nginx::Nginx,
    observer::Observer,
    require_root, server, truth,
};

/// With sendfile and without; the second also sends chunks to whoever takes gzip.
const SERVERS: [(u16, &str); 2] = [
    (
        18_105,
        "sendfile on; tcp_nopush on; keepalive_requests 100000;",
    ),
    (
        18_106,
        "sendfile off; gzip on; gzip_types *; keepalive_requests 100000;",
    ),
];

/// Path, size, the endpoint that the dragonfly profile gives it.
const FILES: [(&str, usize, &str); 8] = [
    ("/boot/52:54:00:ab:cd:ef", 0, "boot"),
    ("/boot/pxelinux.cfg/default", 1, "pxelinux_config"),
    ("/favicon.ico", 1_447, "infra"),
    ("/boot-debian/amd64/preseed", 65_536, "boot_debian_asset"),
    ("/ipxe/hookos/vmlinuz", 300_001, "ipxe_artifact"),
    ("/os/debian/amd64", 4 << 20, "os_image"),
    ("/images/large.raw", 64 << 20, "image"),
    ("/images/largest.raw", 256 << 20, "image"),
];
/// Asked for by most requests; the others are asked for by the clients that say so.
const SMALL: usize = 5;

/// What one client sends, on top of the mix.
#[derive(Clone, Copy)]
struct Client {
    /// Which of a server's two networks.
    from_afar: bool,
    address: fn(&Reach) -> IpAddr,
    close: bool,
    extra: &'static [&'static str],
}

/// How a server is reached from another namespace.
struct Reach {
    afar: [IpAddr; 2],
}

const CLIENTS: [Client; 4] = [
    Client {
        from_afar: false,
        address: |_| Ipv4Addr::LOCALHOST.into(),
        close: false,
        extra: &["/images/largest.raw", "/os/debian/amd64"],
    },
    Client {
        from_afar: false,
        address: |_| Ipv6Addr::LOCALHOST.into(),
        close: true,
        extra: &["/images/large.raw", "/os/debian/amd64"],
    },
    Client {
        from_afar: true,
        address: |reach| reach.afar[0],
        close: true,
        extra: &["/images/largest.raw", "/images/large.raw"],
    },
    Client {
        from_afar: true,
        address: |reach| reach.afar[1],
        close: false,
        extra: &["/images/large.raw", "/os/debian/amd64"],
    },
];
const REQUESTS_EACH: usize = 1_250;

#[test]
fn ten_thousand_requests_equal_the_servers_log() {
    require_root();
    let (here, afar) = (
        Netns::new("srv").expect("netns"),
        Netns::new("cli").expect("netns"),
    );
    let reach = Reach {
        afar: link(&afar, &here, 1).expect("link").far,
    };
    let files = FILES.map(|(path, size, _)| (path, size));
    let servers = SERVERS.map(|(port, options)| {
        let folder = server::folder(&files).expect("folder");
        Nginx::start_with(&here, port, folder, options).expect("nginx")
    });
    let ports = SERVERS.map(|(port, _)| port.to_string());
    let observer = Observer::start(&[
        "--http-port",
        &ports[0],
        "--http-port",
        &ports[1],
        "--profile",
        "dragonfly",
    ])
    .expect("observer");

    // Two at a time: one server each.
    for client in CLIENTS {
        let requests = mix(client.extra);
        let netns = if client.from_afar { &afar } else { &here };
        let address = (client.address)(&reach);
        thread::scope(|scope| {
            for (port, _) in SERVERS {
                let requests = &requests;
                scope.spawn(move || {
                    curl(netns, address, port, requests, client.close).expect("curl");
                });
            }
        });
    }

    let scrape = observer.scrape().expect("scrape");
    let mut log = Vec::new();
    for server in servers {
        log.extend(server.stop().expect("nginx's log"));
    }
    assert_eq!(log.len(), SERVERS.len() * CLIENTS.len() * REQUESTS_EACH);
    truth::check(&scrape, &log, endpoint);
    truth::check_bytes(&observer, &log);
    observer.stop().expect("stop");
}

fn endpoint(target: &str) -> String {
    let known = FILES.iter().find(|(path, ..)| *path == target);
    known.map_or("api", |(.., endpoint)| endpoint).to_owned()
}

/// Methods, files, parts, chunks and errors, the same each time; `extra` now and then.
fn mix(extra: &'static [&'static str]) -> Vec<Request<'static>> {
    const KINDS: [(&str, &str); 7] = [
        ("GET", ""),
        ("HEAD", ""),
        ("GET", "Range: bytes=0-0"),
        ("GET", "Accept-Encoding: gzip"),
        ("POST", ""),
        ("GET", "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT"),
        ("GET", ""),
    ];
    let one = |n: usize| {
        let (method, header) = KINDS[n % KINDS.len()];
        let path = match n % 9 {
            0 => "/api/machines",
            1 => "/api/machines?page=2",
            _ => FILES[n % SMALL].0,
        };
        Request::from((method, path)).with(header)
    };
    let large = extra.iter().map(|path| Request::from(("GET", *path)));
    (0..REQUESTS_EACH - extra.len())
        .map(one)
        .chain(large)
        .collect()
}
