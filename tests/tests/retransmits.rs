//! What servers send again is what the kernel says.

use std::{
    fs,
    io::{Read as _, copy, sink},
    net::SocketAddr,
};

use tests::{
    client,
    netns::Netns,
    nginx::Nginx,
    observer::Observer,
    relay::{Faults, Relay},
    require_root,
    scrape::Scrape,
};

const PORT: u16 = 18_295;
const SIZE: usize = 8 << 20;
const DOWNLOADS: usize = 4;
const LOSSY: Faults = Faults {
    lost: 0,
    doubled: 0,
    late: 0,
    delay: std::time::Duration::ZERO,
    segments_lost: 10,
};

/// A counter of a namespace (net/ipv4/proc.c): a line of names, and one of values.
fn counter(netns: &Netns, table: &str, row: &str, name: &str) -> f64 {
    let path = format!("/proc/thread-self/net/{table}");
    let text = netns.inside(|| fs::read_to_string(path));
    let text = text.expect("inside").expect("read");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(row));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let mut pairs = names.split(' ').zip(values.split(' '));
    let value = pairs.find(|(found, _)| *found == name).expect("a counter");
    value.1.parse().expect("a number")
}

/// Segments that sockets of a namespace sent again, but for SYN-ACKs.
fn sent_again(netns: &Netns) -> f64 {
    counter(netns, "snmp", "Tcp: ", "RetransSegs")
        - counter(netns, "netstat", "TcpExt: ", "TCPSynRetrans")
}

#[test]
fn what_servers_send_again_is_what_the_kernel_says() {
    require_root();
    let here = Netns::new("srv").expect("netns");
    let afar = Netns::new("afar").expect("netns");
    let (relay, ends) = Relay::start(&here, &afar, 1, LOSSY, 3).expect("relay");
    // What the link's queue refuses counts as well.
    here.ip(&["link", "set", "r1", "txqueuelen", "3"])
        .expect("a short queue");
    let nginx = Nginx::start(&here, PORT, &[("/images/os.raw", SIZE)]).expect("nginx");
    let port = PORT.to_string();
    let observer = Observer::start(&["--http-port", &port]).expect("observer");
    let before = observer.scrape().expect("scrape");
    assert_eq!(retransmits(&before, &port), (1, 0.0), "it is there");
    for number in 0..DOWNLOADS {
        let server = SocketAddr::new(ends.near[number % 2], PORT);
        let download = || {
            let mut stream = client::ask(server, "/images/os.raw").expect("ask");
            copy(&mut stream, &mut sink()).expect("the answer")
        };
        let read = afar.inside(download).expect("inside");
        assert!(read > SIZE as u64, "{read} bytes and a head");
    }
    let told = observer.until(|scrape| {
        let is_over = scrape.sum("tcp_connections_in_flight", &[]) == 0.0;
        is_over && retransmits(scrape, &port).1 == sent_again(&here)
    });
    let told = told.unwrap_or_else(|error| panic!("of {}: {error:#}", sent_again(&here)));
    let [near, _] = relay.stop().expect("relay");
    // What was lost was sent again, and all of it by the server.
    let (series, count) = retransmits(&told, &port);
    assert!(
        series == 1 && count >= near.segments_lost as f64 / 2.0,
        "{count} of {near:?}"
    );
    assert!(near.segments_lost > 50, "{near:?}");
    assert_eq!(nginx.stop().expect("log").len(), DOWNLOADS);
    observer.stop().expect("stop");
}

/// TCP tries, and has no way.
#[test]
fn what_could_not_be_sent_again_is_not_counted() {
    require_root();
    const PORT: u16 = 18_296;
    let here = Netns::new("srv").expect("netns");
    let afar = Netns::new("afar").expect("netns");
    let (relay, ends) = Relay::start(&here, &afar, 1, Faults::default(), 1).expect("relay");
    let nginx = Nginx::start(&here, PORT, &[("/images/os.raw", 64 << 20)]).expect("nginx");
    let port = PORT.to_string();
    let observer = Observer::start(&["--http-port", &port]).expect("observer");
    let begin = || {
        let server = SocketAddr::new(ends.near[0], PORT);
        let mut stream = client::ask(server, "/images/os.raw").expect("ask");
        stream.read_exact(&mut vec![0; 1 << 20]).expect("a part");
        stream
    };
    let stream = afar.inside(begin).expect("inside");
    // What is under way is lost, and then there is no way to send it.
    relay.cut(true);
    here.ip(&["link", "set", "r1", "down"]).expect("down");
    let timeouts = || counter(&here, "netstat", "TcpExt: ", "TCPTimeouts");
    let tried = timeouts() + 3.0;
    observer.until(|_| timeouts() >= tried).expect("it tries");
    let same = |scrape: &Scrape| retransmits(scrape, &port).1 == sent_again(&here);
    observer.until(same).expect("only what was sent");
    drop((stream, nginx));
    observer.stop().expect("stop");
}

/// How many series there are, and the port's own.
fn retransmits(scrape: &Scrape, port: &str) -> (usize, f64) {
    const NAME: &str = "tcp_retransmits_total";
    (
        scrape.series(NAME).count(),
        scrape.sum(NAME, &[("port", port)]),
    )
}
