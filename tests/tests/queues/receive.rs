//! TFTP servers.

use std::{fs, time::Duration};

use rustix::process::Signal;
use tests::{
    netns::Netns,
    observer::Observer,
    require_root,
    scrape::Scrape,
    tftp::{
        scripted::{Peer, rrq},
        server::{PORT, Server},
        stage::local,
    },
};

use crate::{of_port, tcp};

/// Within which a server is found wherever it is: searches are 30 s apart in the end.
const FOUND: Duration = Duration::from_secs(40);
const BETWEEN: Duration = Duration::from_millis(100);

/// Receive queue and drops of all sockets at the port (Documentation/networking/proc_net_tcp.rst;
/// the last column of net/udp).
fn udp_queue(netns: &Netns, port: u16) -> (f64, f64) {
    let read = || {
        let of = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        ["udp", "udp6"]
            .map(|table| of(table).expect("read"))
            .concat()
    };
    let text = netns.inside(read).expect("inside");
    let local = format!(":{port:04X}");
    let mut all = (0.0, 0.0);
    for row in text.lines() {
        let columns: Vec<&str> = row.split_whitespace().collect();
        if columns[1].ends_with(&local) {
            let (_, bytes) = columns[4].split_once(':').expect("two queues");
            all.0 += f64::from(u32::from_str_radix(bytes, 16).expect("a number"));
            all.1 += columns
                .last()
                .expect("drops")
                .parse::<f64>()
                .expect("a number");
        }
    }
    all
}

#[test]
fn a_tftp_server_that_does_not_read_has_a_queue_and_drops() {
    const AT: u16 = 18_413;
    const REQUESTS: usize = 600;
    require_root();
    let netns = Netns::new("unread").expect("netns");
    let server = Server::tftp_hpa(&netns, AT, &[]).expect("tftpd");
    let pinned = ["--tftp-port", "18413", "--http-port", "18414"];
    let observer = Observer::start(&pinned).expect("observer");
    let state = |scrape: &Scrape| {
        let of = |name| of_port(scrape, name, AT);
        let drops = of("udp_receive_drops_total").unwrap_or(0.0);
        Some((
            of("pxe_listener_up")?,
            of("udp_receive_queue_bytes")?,
            drops,
        ))
    };
    let until = |said: &dyn Fn((f64, f64, f64)) -> bool| {
        let reached = observer.until(|scrape| state(scrape).is_some_and(said));
        reached.expect("a state")
    };
    until(&|state| state == (1.0, 0.0, 0.0));
    server.signal(Signal::STOP).expect("stop");
    let client = Peer::client(&netns, local(AT)).expect("client");
    for number in 0..REQUESTS {
        let name = format!("vmlinuz-{number}");
        client
            .send(&rrq(name.as_bytes(), "octet", &[]))
            .expect("ask");
    }
    let (bytes, drops) = udp_queue(&netns, AT);
    assert!(bytes > 0.0 && drops > 0.0, "{bytes} {drops}");
    let scrape = until(&|state| state == (1.0, bytes, drops));
    // Nobody listens at the TCP port, and nothing else happened.
    let nobody = tcp(&scrape, 18_414).expect("named");
    assert_eq!((nobody.up, nobody.length, nobody.drops), (0.0, 0.0, 0.0));
    assert_eq!(scrape.sum("pxe_observer_errors_total", &[]), 0.0);
    server.signal(Signal::CONT).expect("go on");
    until(&|state| state == (1.0, 0.0, drops));
    drop(server);
    until(&|state| state == (0.0, 0.0, drops));
    observer.stop().expect("stop");
}

#[test]
fn a_dead_dnsmasq_is_not_calm() {
    require_root();
    let netns = Netns::new("dead").expect("netns");
    let observer = Observer::start(&["--http-port", "18417"]).expect("observer");
    // Nobody is there, and nobody said that somebody has to be.
    let is_up = |scrape: &Scrape| of_port(scrape, "pxe_listener_up", PORT);
    let asked = observer.until(|scrape| tcp(scrape, 18_417).is_some());
    assert_eq!(is_up(&asked.expect("an answer")), None);
    let server = Server::dnsmasq(&netns, &[], &[]).expect("dnsmasq");
    let until = |value| {
        let said = |scrape: &Scrape| is_up(scrape) == Some(value);
        observer.until_within(FOUND, BETWEEN, said)
    };
    until(1.0).expect("up");
    drop(server);
    until(0.0).expect("down");
    let _server = Server::dnsmasq(&netns, &[], &[]).expect("dnsmasq");
    until(1.0).expect("up again");
    observer.stop().expect("stop");
}
