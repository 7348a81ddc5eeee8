//! Real servers and real clients.

use std::{
    fs::{self, File},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use tests::{
    netns::{Netns, link},
    relay::{Fates, Faults, Relay},
    tftp::{
        Operation, Outcome,
        client::Client,
        scripted::{Peer, ack, data, oack, rrq},
        server::{self, Server},
        stage::{Did, Stage, local},
    },
};

const HPA: u16 = 18_269;
const ATFTPD: u16 = 18_270;
/// Where the servers of all scenarios read requests.
pub(crate) const PORTS: [u16; 3] = [server::PORT, HPA, ATFTPD];

const CLIENTS: [Client; 4] = [
    Client::Curl { blksize: 1_468 },
    Client::TftpHpa,
    Client::Atftp {
        blksize: 1_428,
        windowsize: 4,
    },
    Client::Busybox { blksize: 1_024 },
];
/// Who takes longer never writes it.
const WRITTEN: Duration = Duration::from_secs(10);
/// Around the block sizes, exact multiples of some of them, and longer.
const SIZES: [usize; 8] = [0, 1, 511, 512, 513, 1_024, 100_000, 5_000_000];
const SMALL: [usize; 4] = [0, 512, 1_024, 100_000];

/// Debian's servers, and how they are started.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Dnsmasq,
    SinglePort,
    Hpa,
    Atftpd,
}

const KINDS: [Kind; 4] = [Kind::Dnsmasq, Kind::SinglePort, Kind::Hpa, Kind::Atftpd];

impl Kind {
    fn start(self, stage: &Stage, sizes: &[usize]) -> Server {
        let names: Vec<String> = sizes.iter().map(|size| name(*size)).collect();
        let files = names.iter().map(String::as_str).zip(sizes.iter().copied());
        let files: Vec<_> = files.collect();
        let started = match self {
            Self::Dnsmasq => Server::dnsmasq(&stage.here, &files, &[]),
            Self::SinglePort => Server::dnsmasq(&stage.here, &files, &["--tftp-single-port"]),
            Self::Hpa => Server::tftp_hpa(&stage.here, HPA, &files),
            Self::Atftpd => Server::atftpd(&stage.here, ATFTPD, &files),
        };
        started.expect("server")
    }
}

fn name(size: usize) -> String {
    format!("vmlinuz-{size}")
}

fn read(file: &str, outcome: Outcome, bytes: u64) -> Did {
    Did {
        file: file.to_owned(),
        operation: Operation::Read,
        outcome,
        bytes,
    }
}

/// Fetches files of these sizes.
fn fetch(client: Client, netns: &Netns, server: SocketAddr, sizes: &[usize]) -> Vec<Did> {
    let one = |size: &usize| {
        let (name, size) = (name(*size), *size as u64);
        let got = client.get(netns, server, &name).expect("client");
        assert_eq!(got, Some(size), "{client:?} {server} {name}");
        read(&name, Outcome::Complete, size)
    };
    // curl 7.88 takes an OACK with tsize 0 for an error, and says nothing more.
    let is_curl = matches!(client, Client::Curl { .. });
    let sizes = sizes.iter().filter(|size| !is_curl || **size != 0);
    sizes.map(one).collect()
}

/// Each client, each server, each size.
pub(crate) fn every_size(stage: &Stage) -> Vec<Did> {
    let of = |kind: Kind| {
        let server = kind.start(stage, &SIZES);
        let to = local(server.port());
        let fetch = |client| fetch(client, &stage.here, to, &SIZES);
        CLIENTS.into_iter().flat_map(fetch).collect::<Vec<_>>()
    };
    KINDS.into_iter().flat_map(of).collect()
}

/// The servers that take IPv6.
pub(crate) fn ipv6(stage: &Stage) -> Vec<Did> {
    let of = |kind: Kind| {
        let server = kind.start(stage, &SMALL);
        let to = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), server.port());
        let fetch = |client| fetch(client, &stage.here, to, &SMALL);
        CLIENTS.into_iter().flat_map(fetch).collect::<Vec<_>>()
    };
    let kinds = [Kind::Dnsmasq, Kind::SinglePort, Kind::Hpa];
    kinds.into_iter().flat_map(of).collect()
}

/// 78,126 blocks of 512.
pub(crate) fn rollover(stage: &Stage) -> Vec<Did> {
    const SIZE: [usize; 1] = [40_000_000];
    let of = |kind: Kind| {
        let server = kind.start(stage, &SIZE);
        fetch(Client::TftpHpa, &stage.here, local(server.port()), &SIZE)
    };
    [Kind::Dnsmasq, Kind::Hpa]
        .into_iter()
        .flat_map(of)
        .collect()
}

/// Blocks of 8,192 over a link whose packets have 1,500; dnsmasq would not send such.
pub(crate) fn fragments(stage: &Stage) -> Vec<Did> {
    let ends = link(&stage.here, &stage.afar, 1).expect("link");
    let server = Kind::Hpa.start(stage, &SIZES);
    let of = |ip| {
        let to = SocketAddr::new(ip, server.port());
        fetch(Client::Curl { blksize: 8_192 }, &stage.afar, to, &SIZES)
    };
    ends.near.into_iter().flat_map(of).collect()
}

/// Line ends are two bytes on the wire, and one before and after.
pub(crate) fn netascii(stage: &Stage) -> Vec<Did> {
    const NAME: &str = "vmlinuz-text";
    const LINES: u64 = 700;
    let of = |kind: Kind| {
        let server = kind.start(stage, &[]);
        let text = "\n".repeat(usize::try_from(LINES).expect("a size"));
        fs::write(server.root().join(NAME), text).expect("a file");
        let got = Client::TftpHpaText.get(&stage.here, local(server.port()), NAME);
        assert_eq!(got.expect("client"), Some(LINES));
        read(NAME, Outcome::Complete, 2 * LINES)
    };
    KINDS.map(of).into()
}

/// Each client asks each server for what it does not have.
pub(crate) fn missing(stage: &Stage) -> Vec<Did> {
    const NAME: &str = "vmlinuz-missing";
    let of = |kind: Kind| {
        let server = kind.start(stage, &[]);
        let ask = |client: Client| {
            let got = client.get(&stage.here, local(server.port()), NAME);
            // tftp-hpa believes that it has succeeded, and has made an empty file.
            assert_eq!(got.expect("client").unwrap_or(0), 0, "{client:?} {kind:?}");
            read(NAME, Outcome::NotFound, 0)
        };
        CLIENTS.map(ask)
    };
    KINDS.into_iter().flat_map(of).collect()
}

/// Each client writes to each server that takes files.
pub(crate) fn write(stage: &Stage) -> Vec<Did> {
    let folder = tempfile::tempdir().expect("folder");
    let local_file = folder.path().join("file");
    let mut did = Vec::new();
    for kind in [Kind::Hpa, Kind::Atftpd] {
        let server = kind.start(stage, &[]);
        for (number, client) in CLIENTS.into_iter().enumerate() {
            for size in SMALL {
                let name = format!("vmlinuz-{number}-{size}");
                let file = File::create(&local_file).expect("file");
                file.set_len(size as u64).expect("size");
                let to = local(server.port());
                let put = client.put(&stage.here, to, &name, &local_file);
                assert!(put.expect("client"), "{client:?} {kind:?} {name}");
                wait_until_written(&server.root().join(&name), size as u64);
                did.push(Did {
                    operation: Operation::Write,
                    ..read(&name, Outcome::Complete, size as u64)
                });
            }
        }
    }
    did
}

/// A server acknowledges the last block before it has written it.
fn wait_until_written(path: &Path, size: u64) {
    let begun = Instant::now();
    let written = || fs::metadata(path).expect("a file").len();
    while written() != size {
        assert!(
            begun.elapsed() < WRITTEN,
            "{} {}",
            path.display(),
            written()
        );
        thread::sleep(Duration::from_millis(1));
    }
}

/// How many ask dnsmasq at once.
pub(crate) const CROWD: usize = 60;
/// How many of them it does not even read: with its limit of 50 it begins a 51st transfer.
pub(crate) const WAITING: usize = 9;

/// All ask; those whom dnsmasq serves do nothing more until `held` has returned.
pub(crate) fn crowd(stage: &Stage, held: impl FnOnce()) -> Vec<Did> {
    let server = Kind::Dnsmasq.start(stage, &[1]);
    let to = local(server.port());
    let mut peers: Vec<Peer> = (0..CROWD)
        .map(|_| Peer::client(&stage.here, to).expect("client"))
        .collect();
    for peer in &peers {
        peer.send(&rrq(name(1).as_bytes(), "octet", &[("tsize", "0")]))
            .expect("ask");
    }
    let (served, waiting) = peers.split_at_mut(CROWD - WAITING);
    for peer in &mut *served {
        peer.expect(&oack(&[("tsize", "1")])).expect("served");
    }
    for peer in &*waiting {
        assert!(!peer.is_answered().expect("a look"), "nobody waits");
    }
    held();
    for peer in served {
        finish(peer);
    }
    for peer in waiting {
        peer.expect(&oack(&[("tsize", "1")]))
            .expect("served at last");
        finish(peer);
    }
    vec![read(&name(1), Outcome::Complete, 1); CROWD]
}

/// Takes the file's only byte.
fn finish(peer: &mut Peer) {
    peer.send(&ack(0)).expect("begin");
    let block = peer.receive().expect("a block");
    assert_eq!(block.len(), data(1, 1).len());
    peer.send(&ack(1)).expect("end");
}

/// What links do, and who survives that: curl and atftp do not survive a doubled OACK.
const BAD_LINKS: [(Faults, &[Client]); 2] = [
    (
        Faults {
            lost: 4,
            doubled: 0,
            late: 20,
            delay: LATE,
            segments_lost: 0,
        },
        &CLIENTS,
    ),
    (
        Faults {
            lost: 0,
            doubled: 20,
            late: 20,
            delay: LATE,
            segments_lost: 0,
        },
        &[Client::TftpHpa, Client::Busybox { blksize: 1_024 }],
    ),
];
const LATE: Duration = Duration::from_millis(3);

/// Over links that lose, double and delay; returns what became of datagrams, too.
pub(crate) fn bad_links(stage: &Stage) -> (Vec<Did>, Vec<Fates>) {
    let mut all = (Vec::new(), Vec::new());
    for (subnet, (faults, clients)) in (1..).zip(BAD_LINKS) {
        let relay = Relay::start(&stage.here, &stage.afar, subnet, faults, 7);
        let (relay, ends) = relay.expect("relay");
        for kind in KINDS {
            let server = kind.start(stage, &[60_000]);
            let to = SocketAddr::new(ends.near[0], server.port());
            for client in clients {
                all.0.extend(fetch(*client, &stage.afar, to, &[60_000]));
            }
        }
        all.1.extend(relay.stop().expect("relay"));
    }
    all
}
