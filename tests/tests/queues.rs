//! Servers that do not keep up, stand still, or are gone: what their sockets say of it.

use std::{
    fs,
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::OwnedFd,
    process::Command,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with},
    process::Signal,
};
use tests::{
    client,
    netns::Netns,
    nginx::Nginx,
    observer::{self, Observer},
    python::SlowPython,
    require_root,
    scrape::Scrape,
    tftp::{
        scripted::{Peer, rrq},
        server::Server,
        stage::local,
    },
};

/// What is said of a TCP port.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tcp {
    up: f64,
    length: f64,
    limit: f64,
    drops: f64,
}

fn observe(port: u16) -> Observer {
    Observer::start(&["--http-port", &port.to_string()]).expect("observer")
}

/// The one series of the port, if there is one.
fn of_port(scrape: &Scrape, name: &str, port: u16) -> Option<f64> {
    let port = port.to_string();
    let mut series = scrape.series(name);
    series.find_map(|(labels, value)| (labels.get("port") == Some(&port)).then_some(value))
}

fn tcp(scrape: &Scrape, port: u16) -> Option<Tcp> {
    let of = |name| of_port(scrape, name, port);
    Some(Tcp {
        up: of("pxe_listener_up")?,
        length: of("tcp_listen_queue_length")?,
        limit: of("tcp_listen_queue_limit")?,
        drops: of("tcp_listen_drops_total").unwrap_or(0.0),
    })
}

/// Scrapes until it is said of the port.
fn until(observer: &Observer, port: u16, said: impl Fn(&Tcp) -> bool) -> (Scrape, Tcp) {
    let reached = observer.until(|scrape| tcp(scrape, port).as_ref().is_some_and(&said));
    let scrape = reached.expect("a state");
    let state = tcp(&scrape, port).expect("a state");
    (scrape, state)
}

/// Nothing else is wrong.
fn is_calm(scrape: &Scrape) {
    for name in [
        "pxe_observer_errors_total",
        "pxe_observer_namespaces_unreachable",
        "pxe_observer_events_lost_total",
        "udp_receive_drops_total",
        "udp_receive_queue_bytes",
    ] {
        assert_eq!(scrape.sum(name, &[]), 0.0, "{name}");
    }
}

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
    until(&observer, PORT, |state| *state == gone);
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
    let (scrape, state) = until(&observer, PORT, |state| state.length == waiting);
    assert_eq!((state.up, state.limit, state.drops), (1.0, 16.0, 0.0));
    assert_eq!(scrape.sum("http_requests_waiting", &[]), waiting);
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
    const PORT: u16 = 18_413;
    const REQUESTS: usize = 600;
    require_root();
    let netns = Netns::new("unread").expect("netns");
    let server = Server::tftp_hpa(&netns, PORT, &[]).expect("tftpd");
    let pinned = ["--tftp-port", "18413", "--http-port", "18414"];
    let observer = Observer::start(&pinned).expect("observer");
    let state = |scrape: &Scrape| {
        let of = |name| of_port(scrape, name, PORT);
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
    let client = Peer::client(&netns, local(PORT)).expect("client");
    for number in 0..REQUESTS {
        let name = format!("vmlinuz-{number}");
        client
            .send(&rrq(name.as_bytes(), "octet", &[]))
            .expect("ask");
    }
    let (bytes, drops) = udp_queue(&netns, PORT);
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

/// The daemon without some capabilities.
fn without(bounds: &str, port: u16) -> Observer {
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set", bounds, "--inh-caps", bounds])
        .arg(observer::binary())
        .args(["run", "--web.listen-address", "127.0.0.1:0"])
        .args(["--http-port", &port.to_string()]);
    Observer::start_command(&mut command).expect("observer")
}

#[test]
fn namespaces_that_cannot_be_entered_are_told() {
    const PORT: u16 = 18_415;
    require_root();
    let netns = Netns::new("closed").expect("netns");
    let server = SlowPython::start(&netns, PORT, 0, 1).expect("python");
    for (bounds, unreachable, said) in [
        (
            "-sys_admin",
            1.0,
            "in 1 network namespaces are not known, they cannot be entered: \
             Operation not permitted (os error 1) (that needs CAP_SYS_ADMIN)",
        ),
        (
            "-sys_admin,-sys_ptrace",
            0.0,
            "where some processes live cannot be read (that needs CAP_SYS_PTRACE)",
        ),
    ] {
        let observer = without(bounds, PORT);
        let (scrape, _) = until(&observer, PORT, |state| state.up == 0.0);
        let counted = scrape.sum("pxe_observer_namespaces_unreachable", &[]);
        assert_eq!(counted, unreachable, "{bounds}");
        assert_eq!(scrape.sum("pxe_observer_errors_total", &[]), 0.0);
        let (_, _, log) = observer.stop().expect("stop");
        assert_eq!(log.matches(said).count(), 1, "{log}");
    }
    server.stop().expect("stop");
}
