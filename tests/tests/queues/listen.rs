//! TCP servers.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::OwnedFd,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with},
};
use tests::{
    client, netns::Netns, nginx::Nginx, observer::Observer, python::SlowPython, require_root,
};

use crate::{Tcp, is_calm, observe, of_port, tcp, until};

/// A connection that is begun, and gets no further where the queue is full.
fn begin(netns: &Netns, port: u16) -> OwnedFd {
    let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let begin = || {
        let (inet, stream) = (AddressFamily::INET, SocketType::STREAM);
        let socket = socket_with(inet, stream, SocketFlags::NONBLOCK, None).expect("a socket");
        assert_eq!(connect(&socket, &server), Err(Errno::INPROGRESS));
        socket
    };
    netns.inside(begin).expect("inside")
}

/// Descriptors that the observer holds; those of scrapes come and go.
fn held(observer: &Observer) -> usize {
    let open = (0..50).map(|_| observer.descriptors().expect("descriptors"));
    open.min().expect("some")
}

#[test]
fn a_full_queue_is_told_and_its_drops_are_the_kernels_own() {
    const PORT: u16 = 18_410;
    require_root();
    let netns = Netns::new("full").expect("netns");
    let server = SlowPython::start(&netns, PORT, 0, 1).expect("python");
    let observer = observe(PORT);
    let at_rest = Tcp {
        up: 1.0,
        length: 0.0,
        limit: 1.0,
        drops: 0.0,
    };
    until(&observer, PORT, |state| *state == at_rest);
    let with_namespace = held(&observer);
    server.pause().expect("pause");
    let clients: Vec<OwnedFd> = (0..8).map(|_| begin(&netns, PORT)).collect();
    // They try again after a second.
    let overflows = || netns.netstat("ListenOverflows").expect("netstat") as f64;
    let (scrape, full) = until(&observer, PORT, |state| {
        state.length == 2.0 && state.drops >= 6.0 && state.drops == overflows()
    });
    assert_eq!((full.up, full.limit), (1.0, 1.0));
    is_calm(&scrape);
    drop(clients);
    let drops = overflows();
    server.resume().expect("resume");
    until(&observer, PORT, |state| *state == Tcp { drops, ..at_rest });

    server.stop().expect("stop");
    let gone = Tcp {
        up: 0.0,
        length: 0.0,
        limit: 0.0,
        drops,
    };
    // The namespace is left alone, with both sockets by which it was asked.
    until(&observer, PORT, |state| {
        *state == gone && held(&observer) + 2 <= with_namespace
    });
    // A container that is started anew has a namespace of its own.
    let elsewhere = Netns::new("anew").expect("netns");
    let server = SlowPython::start(&elsewhere, PORT, 0, 5).expect("python");
    let (scrape, back) = until(&observer, PORT, |state| state.up == 1.0);
    let limit = 5.0;
    assert_eq!(
        back,
        Tcp {
            limit,
            drops,
            ..at_rest
        }
    );
    is_calm(&scrape);
    server.stop().expect("stop");
    observer.stop().expect("stop");
}

#[test]
fn a_server_that_stands_still_is_up_and_its_queue_grows() {
    const PORT: u16 = 18_411;
    const CLIENTS: u8 = 5;
    require_root();
    let netns = Netns::new("still").expect("netns");
    let server = SlowPython::start(&netns, PORT, 0, 16).expect("python");
    let observer = observe(PORT);
    until(&observer, PORT, |state| {
        state.up == 1.0 && state.length == 0.0
    });
    server.pause().expect("pause");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let ask = || client::ask(address, "/").expect("ask");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| netns.inside(ask).expect("inside"))
        .collect();
    let waiting = f64::from(CLIENTS);
    let scrape = observer.until(|scrape| {
        let length = tcp(scrape, PORT).map(|state| state.length);
        length == Some(waiting) && scrape.sum("http_requests_waiting", &[]) == waiting
    });
    let scrape = scrape.expect("all wait");
    let state = tcp(&scrape, PORT).expect("a state");
    assert_eq!((state.up, state.limit, state.drops), (1.0, 16.0, 0.0));
    is_calm(&scrape);
    server.resume().expect("resume");
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.ends_with("done"), "{answer}");
    }
    let (scrape, state) = until(&observer, PORT, |state| state.length == 0.0);
    assert_eq!((state.up, state.drops), (1.0, 0.0));
    assert_eq!(scrape.sum("http_requests_in_flight", &[]), 0.0);
    server.stop().expect("stop");
    observer.stop().expect("stop");
}

/// Others are learned in this time, too: only this one is looked at.
#[test]
fn a_port_that_has_served_is_told_and_its_sockets_are_added_up() {
    const PORT: u16 = 18_412;
    require_root();
    let netns = Netns::new("served").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &[("/a", 5)]).expect("nginx");
    let observer = Observer::start(&[]).expect("observer");
    let scrape = observer.scrape().expect("scrape");
    assert_eq!(of_port(&scrape, "pxe_listener_up", PORT), None);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let answer = netns.inside(|| client::get(address, "/a")).expect("inside");
    assert!(answer.expect("an answer").ends_with("\0\0\0\0\0"));
    // Two sockets, IPv4 and IPv6.
    let (_, state) = until(&observer, PORT, |state| state.up == 1.0);
    assert_eq!((state.length, state.limit, state.drops), (0.0, 8192.0, 0.0));
    nginx.stop().expect("stop");
    until(&observer, PORT, |state| {
        state.up == 0.0 && state.limit == 0.0
    });
    observer.stop().expect("stop");
}
