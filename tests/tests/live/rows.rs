//! Rows are what is under way, and nothing of them is in /metrics.

use std::{
    fs,
    io::{Read as _, copy, sink},
    net::{IpAddr, SocketAddr},
};

use serde_json::Value;
use tests::{
    client,
    netns::{Netns, link},
    nginx::Nginx,
    observer::Observer,
    require_root,
    tftp::{
        scripted::{Peer, ack, data, rrq},
        server::{PORT as TFTP, Server},
    },
};

use crate::{command, printed, snapshot, until};

const PORT: u16 = 18_301;
const IMAGE: &str = "/images/live-test.raw";
/// More than socket buffers hold.
const SIZE: usize = 64 << 20;
/// No other test's: all see port 69.
const KERNEL: &str = "vmlinuz-live-test";
const KERNEL_SIZE: usize = 3 * 512 + 7;

fn start(profile: &str) -> Observer {
    let port = PORT.to_string();
    let args = ["--http-port", &port, "--stalled-after", "1"];
    Observer::start(&[&args[..], &["--profile", profile]].concat()).expect("observer")
}

#[test]
fn a_download_is_a_row_until_it_is_the_last_that_ended() {
    require_root();
    let (server, afar) = (
        Netns::new("srv").expect("netns"),
        Netns::new("afar").expect("netns"),
    );
    let ends = link(&server, &afar, 77).expect("link");
    let nginx = Nginx::start(&server, PORT, &[(IMAGE, SIZE)]).expect("nginx");
    let observer = start("dragonfly");
    let socket = observer.live_socket().expect("a socket");
    let address = SocketAddr::new(ends.near[0], PORT);
    let begin = || {
        let mut stream = client::ask(address, IMAGE).expect("ask");
        stream.read_exact(&mut vec![0; 512]).expect("first bytes");
        stream
    };
    let mut stream = afar.inside(begin).expect("inside");
    let row = until(&socket, IMAGE, |row| row.stalled_by.is_some());
    assert_eq!(row.stalled_by.as_deref(), Some("client_window"));
    assert_eq!((row.client, row.server_port), (ends.far[0], Some(PORT)));
    assert_eq!(
        row.client_port,
        stream.local_addr().expect("an address").port()
    );
    assert_eq!(
        (&*row.protocol, &*row.endpoint, &*row.method),
        ("http", "image", "GET")
    );
    assert_eq!(
        (&*row.phase, row.status, row.total),
        ("transferring", Some(200), Some(SIZE as u64))
    );
    assert!(row.bytes > 0 && row.bytes < SIZE as u64, "{row:?}");
    let comm = fs::read_to_string(format!("/proc/{}/comm", row.pid.expect("a process")));
    assert_eq!(comm.expect("its name").trim(), "nginx");
    let ended = |count| {
        let snapshot = snapshot(&socket);
        let image = snapshot
            .endpoints
            .into_iter()
            .find(|one| one.endpoint == "image");
        let image = image.expect("the endpoint");
        assert_eq!(
            (image.in_flight, image.stalled, image.ended),
            (1 - count, 1 - count, count)
        );
        image
    };
    ended(0);
    copy(&mut stream, &mut sink()).expect("the rest");
    observer
        .until(|scrape| scrape.sum("http_requests_in_flight", &[]) == 0.0)
        .expect("the end");
    let image = ended(1);
    assert_eq!((image.bytes, image.errors), (SIZE as u64, 0));
    assert!(image.duration.expect("of the last minute").p50_s > 1.0);
    said_last(&observer, ends.far[0]);
    nothing_in_metrics(&observer, &ends.far[0].to_string());
    observer.stop().expect("stop");
    nginx.stop().expect("log");
}

/// By `tail`, and `explain` has nothing to say.
fn said_last(observer: &Observer, client: IpAddr) {
    let socket = observer.live_socket().expect("a socket");
    let tail = |args: &[&str]| {
        let args = [&["tail", "--no-follow", "--json"], args].concat();
        let lines = printed(&socket, &args);
        let objects = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        objects.collect::<Vec<Value>>()
    };
    let client = client.to_string();
    let all = tail(&["--client", &client, "--endpoint", "image"]);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(
        (&all[0]["path"], &all[0]["outcome"]),
        (&IMAGE.into(), &"complete".into())
    );
    assert!(tail(&["--failed"]).is_empty());
    assert!(tail(&["--client", "192.0.2.1"]).is_empty());
    let explained = printed(&socket, &["explain"]);
    assert!(
        explained.starts_with("none") && explained.contains("; 0 in flight"),
        "{explained}"
    );
}

fn nothing_in_metrics(observer: &Observer, client: &str) {
    let metrics = client::get(observer.address(), "/metrics").expect("scrape");
    for secret in ["live-test", client] {
        assert!(!metrics.contains(secret), "{secret} is in /metrics");
    }
    assert!(metrics.contains("pxe_observer_viewers 0\n"), "{metrics}");
}

#[test]
fn a_transfer_is_a_row_until_it_is_the_last_that_ended() {
    require_root();
    let (server, afar) = (
        Netns::new("srv").expect("netns"),
        Netns::new("afar").expect("netns"),
    );
    let ends = link(&server, &afar, 78).expect("link");
    let _dnsmasq = Server::dnsmasq(&server, &[(&format!("/{KERNEL}"), KERNEL_SIZE)], &[]);
    let _dnsmasq = _dnsmasq.expect("dnsmasq");
    let observer = start("generic");
    let socket = observer.live_socket().expect("a socket");
    let mut client = Peer::client(&afar, SocketAddr::new(ends.near[0], TFTP)).expect("client");
    let request = rrq(KERNEL.as_bytes(), "octet", &[("tsize", "0")]);
    client.send(&request).expect("ask");
    client.receive().expect("the options");
    client.send(&ack(0)).expect("acknowledge");
    client.expect(&data(1, 512)).expect("the first block");
    let row = until(&socket, KERNEL, |row| row.stalled_by.is_some());
    assert_eq!(row.stalled_by.as_deref(), Some("client"));
    assert_eq!(row.client, ends.far[0]);
    assert_eq!(
        (&*row.protocol, &*row.method, &*row.phase),
        ("tftp", "read", "transferring")
    );
    assert_eq!((row.bytes, row.total), (512, Some(KERNEL_SIZE as u64)));
    client.send(&ack(1)).expect("acknowledge");
    for (block, len) in [(2, 512), (3, 512), (4, 7)] {
        while client.receive().expect("a block") != data(block, len) {}
        client.send(&ack(block)).expect("acknowledge");
    }
    let far = ends.far[0].to_string();
    let args = ["tail", "-n", "1", "--client", &far];
    let follow =
        || String::from_utf8(command(&socket, &[&args[..], &["--no-follow"]].concat()).stdout);
    observer
        .until(|_| !follow().expect("text").is_empty())
        .expect("its end");
    let line = follow().expect("text");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(
        words[1..7],
        [&*far, "tftp", "kernel", "read", "complete", "-"],
        "{line}"
    );
    assert_eq!(
        words[8..],
        [KERNEL_SIZE.to_string().as_str(), KERNEL],
        "{line}"
    );
    nothing_in_metrics(&observer, &far);
    observer.stop().expect("stop");
}

#[test]
fn paths_that_no_rule_knows_are_told() {
    const PORT: u16 = 18_302;
    require_root();
    let server = Netns::new("srv").expect("netns");
    let nginx = Nginx::start(&server, PORT, &[]).expect("nginx");
    let observer = Observer::start(&["--http-port", &PORT.to_string()]).expect("observer");
    let get = |path| {
        let address = SocketAddr::from(([127, 0, 0, 1], PORT));
        let get = || client::get(address, path).expect("an answer");
        server.inside(get).expect("inside")
    };
    for path in ["/strange/thing?a=1", "/strange/thing?a=2", "/other\\thing"] {
        get(path);
    }
    observer
        .until(|scrape| scrape.sum("http_requests_total", &[]) == 3.0)
        .expect("all three");
    let socket = observer.live_socket().expect("a socket");
    let expected = "2\t0\thttp\t/strange/thing\tR37\n\
                    1\t0\thttp\t/other\\\\thing\tR37\n";
    assert_eq!(printed(&socket, &["rules", "unmatched"]), expected);
    observer.stop().expect("stop");
    nginx.stop().expect("log");
}
