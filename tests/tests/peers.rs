//! Mixed requests to real servers of every kind: our counts are their logs'.

use std::{collections::BTreeSet, env, net::Ipv4Addr};

use tests::{
    apache::Apache,
    client::{Request, curl},
    lighttpd::Lighttpd,
    netns::Netns,
    observer::Observer,
    peer::Peer,
    python::Python,
    require_root,
    server::Row,
    truth,
};

const FILES: [(&str, usize); 4] = [
    ("/boot/ipxe.efi", 1_000_000),
    ("/boot/script.ipxe", 700),
    ("/boot/empty", 0),
    ("/images/os.raw", 20_000_000),
];

const SINCE: &str = "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT";
const PART: &str = "Range: bytes=100-299";

/// Method, path, header: once around, and again.
const MIX: [(&str, &str, &str); 20] = [
    ("GET", "/boot/ipxe.efi", ""),
    ("HEAD", "/boot/ipxe.efi", ""),
    ("GET", "/boot/script.ipxe", ""),
    ("POST", "/boot/script.ipxe", ""),
    ("GET", "/boot/missing", ""),
    ("GET", "/boot/ipxe.efi", PART),
    ("GET", "/boot/script.ipxe", SINCE),
    ("GET", "/boot/empty", ""),
    ("HEAD", "/boot/missing", ""),
    ("GET", "/boot/script.ipxe", ""),
    ("GET", "/boot/empty", SINCE),
    ("HEAD", "/boot/empty", ""),
    ("GET", "/images/os.raw", PART),
    ("GET", "/images/missing", ""),
    ("POST", "/images/missing", ""),
    ("GET", "/boot/ipxe.efi", ""),
    ("HEAD", "/images/os.raw", ""),
    ("GET", "/boot/script.ipxe?mac=52:54:00:ab:cd:ef", ""),
    ("HEAD", "/boot/script.ipxe", SINCE),
    ("GET", "/images/os.raw", SINCE),
];

/// Sends the mix, compares. `bytes`: the log says what was sent after each head.
fn check<Server>(
    port: u16,
    start: impl FnOnce(&Netns) -> anyhow::Result<Server>,
    stop: impl FnOnce(Server) -> anyhow::Result<Vec<Row>>,
    statuses: &[u16],
    logs_bytes: bool,
) {
    require_root();
    let netns = Netns::new("peer").expect("netns");
    let server = start(&netns).expect("server");
    let observer = Observer::start(&["--http-port", &port.to_string(), "--profile", "dragonfly"])
        .expect("observer");
    let requests = requests();
    let address = Ipv4Addr::LOCALHOST.into();
    let (kept, closed) = requests.split_at(requests.len() / 2);
    curl(&netns, address, port, kept, false).expect("keep-alive");
    curl(&netns, address, port, closed, true).expect("close");

    let scrape = observer.scrape().expect("scrape");
    let log = stop(server).expect("the server's log");
    assert_eq!(log.len(), requests.len());
    let logged: BTreeSet<u16> = log.iter().map(|row| row.status).collect();
    assert_eq!(
        logged.into_iter().collect::<Vec<_>>(),
        statuses,
        "the mix is one"
    );
    truth::check(&scrape, &log, endpoint);
    if logs_bytes {
        truth::check_bytes(&observer, &log);
    }
    observer.stop().expect("stop");
}

fn endpoint(target: &str) -> String {
    let is_boot = target.starts_with("/boot/");
    if is_boot { "boot" } else { "image" }.to_owned()
}

/// The mix, a large file now and then.
fn requests() -> Vec<Request<'static>> {
    let count = if env::var_os("PXE_FULL").is_some() {
        10_000
    } else {
        1_000
    };
    let one = |n: usize| {
        if n % 100 == 99 {
            return ("GET", "/images/os.raw").into();
        }
        let (method, path, header) = MIX[n % MIX.len()];
        Request::from((method, path)).with(header)
    };
    (0..count).map(one).collect()
}

#[test]
fn apache() {
    const PORT: u16 = 18_101;
    let start = |netns: &Netns| Apache::start(netns, PORT, &FILES);
    check(PORT, start, Apache::stop, &[200, 206, 304, 404], true);
}

#[test]
fn lighttpd() {
    const PORT: u16 = 18_102;
    let start = |netns: &Netns| Lighttpd::start(netns, PORT, &FILES);
    check(PORT, start, Lighttpd::stop, &[200, 206, 304, 404], true);
}

#[test]
fn python() {
    const PORT: u16 = 18_103;
    let start = |netns: &Netns| Python::start(netns, PORT, &FILES);
    check(PORT, start, Python::stop, &[200, 304, 404, 501], false);
}

#[test]
fn axum() {
    const PORT: u16 = 18_104;
    let start = |netns: &Netns| Peer::start(env!("CARGO_BIN_EXE_peer"), netns, PORT, &FILES);
    check(PORT, start, Peer::stop, &[200, 206, 304, 404, 405], true);
}
