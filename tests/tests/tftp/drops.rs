//! A server that does not read, and what the kernel drops for it.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use tests::{
    netns::Netns,
    observer::Observer,
    require_root,
    scrape::Scrape,
    tftp::{
        scripted::{Peer, rrq},
        stage::local,
    },
};

const PORT: u16 = 18_279;
const REQUESTS: usize = 200;

/// What the kernel says of the socket at the port (Documentation/networking/proc_net_tcp.rst; the
/// last column of net/udp).
fn dropped(netns: &Netns) -> f64 {
    let table = netns.inside(|| fs::read_to_string("/proc/thread-self/net/udp"));
    let table = table.expect("inside").expect("read");
    let local = format!(":{PORT:04X} ");
    let row = table.lines().find(|line| line.contains(&local));
    let drops = row.and_then(|row| row.split_whitespace().last());
    drops.expect("a row").parse().expect("a number")
}

#[test]
fn what_a_full_queue_drops_is_counted() {
    require_root();
    let netns = Netns::new("drops").expect("namespace");
    let observer = Observer::start(&["--tftp-port", &PORT.to_string()]).expect("observer");
    let bound = netns.inside(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, PORT)));
    let server = bound.expect("inside").expect("bind");
    // As small as the kernel allows.
    set_socket_recv_buffer_size(&server, 0).expect("a small queue");
    let client = Peer::client(&netns, local(PORT)).expect("client");
    for number in 0..REQUESTS {
        let name = format!("vmlinuz-{number}");
        let request = rrq(name.as_bytes(), "octet", &[]);
        client.send(&request).expect("ask");
    }
    let drops = dropped(&netns);
    assert!(drops > 0.0, "the queue took everything");
    let labels = [("port", PORT.to_string())];
    let labels = labels
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let counted = |scrape: &Scrape| scrape.sum("udp_receive_drops_total", &labels);
    let scrape = observer.until(|scrape| counted(scrape) == drops);
    let scrape = scrape.expect("as many as the kernel says");
    // They arrived, for all that.
    let unanswered = [("outcome", "unanswered")];
    let asked =
        scrape.sum("tftp_requests_total", &unanswered) + scrape.sum("tftp_requests_waiting", &[]);
    assert_eq!(asked, REQUESTS as f64);
    drop(server);
    observer.stop().expect("stop");
}
