//! What is watched: ports that are learned, left out, or our own; clients on the host itself.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};

use tempfile::NamedTempFile;
use tests::{
    client,
    netns::{Ends, Netns, link},
    nginx::Nginx,
    observer::Observer,
    require_root,
};

/// Other servers of this host are observed, too, those of the tests beside this one among them:
/// what each asks for is an endpoint of its own.
fn rules(path: &str) -> String {
    format!(
        "[[rule]]\nid = \"ours\"\npath = [\"^{}$\"]\nendpoint = \"ours\"\n",
        &path[1..]
    )
}
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// An observer that learns ports, and counts the requests for `path`.
fn observe(path: &str, args: &[&str]) -> (Observer, NamedTempFile) {
    let mut file = NamedTempFile::new().expect("rules");
    file.write_all(rules(path).as_bytes()).expect("write");
    let name = file.path().to_str().expect("a path").to_owned();
    let args = [&["--rules", &name], args].concat();
    (Observer::start(&args).expect("observer"), file)
}

fn counted(observer: &Observer) -> f64 {
    let scrape = observer.scrape().expect("scrape");
    let ours = [("endpoint", "ours")];
    assert_eq!(scrape.sum("http_requests_in_flight", &ours), 0.0);
    scrape.sum("http_requests_total", &ours)
}

fn stop(observer: Observer) -> String {
    let (_, _, log) = observer.stop().expect("stop");
    log
}

fn lines<'a>(log: &'a str, part: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(part)).collect()
}

/// A listener on all addresses that answers `requests`, in a namespace that no process lives
/// in, only a thread of ours.
fn serve(netns: &Netns, port: u16, requests: usize) -> thread::JoinHandle<()> {
    let listen = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("listen");
    let listener = netns.inside(listen).expect("inside");
    thread::spawn(move || {
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().expect("accept");
            let lines = BufReader::new(&stream).lines();
            let head = lines.map(|line| line.expect("a line"));
            assert!(head.take_while(|line| !line.is_empty()).count() > 0);
            stream.write_all(ANSWER).expect("answer");
        }
    })
}

fn get(netns: &Netns, server: IpAddr, port: u16, path: &str) {
    let answer = netns.inside(|| client::get(SocketAddr::new(server, port), path));
    let answer = answer.expect("inside").expect("get");
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
}

fn linked() -> (Netns, Netns, Ends) {
    let (client, server) = (
        Netns::new("cli").expect("netns"),
        Netns::new("srv").expect("netns"),
    );
    let ends = link(&client, &server, 3).expect("link");
    (client, server, ends)
}

#[test]
fn a_port_is_told_once_with_its_process_and_why() {
    const AT_START: u16 = 18_162;
    const LATER: u16 = 18_163;
    const THREAD: u16 = 18_164;
    const PATH: &str = "/watched/told";
    require_root();
    let (client, server, ends) = linked();
    let files = [(PATH, 5)];
    let at_start = Nginx::start(&server, AT_START, &files).expect("nginx");
    let (observer, _rules) = observe(PATH, &[]);
    // Not one of the observer's own namespace: found in that of a process.
    get(&client, ends.far[0], AT_START, PATH);
    let later = Nginx::start(&server, LATER, &files).expect("nginx");
    let thread = serve(&server, THREAD, 2);
    for port in [LATER, THREAD] {
        for _ in 0..2 {
            get(&client, ends.far[0], port, PATH);
        }
    }
    thread.join().expect("server");
    assert_eq!(counted(&observer), 5.0);
    // A scrape looks at what was told; the log is read to its end.
    let log = stop(observer);
    for (port, says) in [
        (AT_START, "nginx (pid "),
        (AT_START, "), it listened at start"),
        (LATER, "nginx (pid "),
        (LATER, "), learned from its first packet"),
        (THREAD, "process unknown, learned from its first packet"),
    ] {
        let told = lines(&log, &format!("watching port {port}: "));
        assert_eq!(told.len(), 1, "{port}: {log}");
        assert!(told[0].contains(says), "{says}: {log}");
    }
    at_start.stop().expect("log");
    later.stop().expect("log");
}

#[test]
fn a_pinned_port_is_told_before_anybody_listens() {
    require_root();
    let observer = Observer::start(&["--http-port", "18165"]).expect("observer");
    let log = stop(observer);
    let told = lines(
        &log,
        "watching port 18165: no process listens yet, pinned by --http-port",
    );
    assert_eq!(told.len(), 1, "{log}");
}

#[test]
fn an_ignored_port_is_never_learned() {
    const IGNORED: u16 = 18_166;
    const OTHER: u16 = 18_167;
    const PATH: &str = "/watched/ignored";
    require_root();
    let (client, server, ends) = linked();
    let (observer, _rules) = observe(PATH, &["--http-ignore-port", "18166"]);
    let (ignored, other) = (serve(&server, IGNORED, 2), serve(&server, OTHER, 1));
    for port in [IGNORED, OTHER, IGNORED] {
        get(&client, ends.far[0], port, PATH);
    }
    ignored.join().expect("server");
    other.join().expect("server");
    assert_eq!(counted(&observer), 1.0);
    let log = stop(observer);
    assert!(lines(&log, "watching port 18166").is_empty(), "{log}");
}

/// Also where everything is learned, and everybody may scrape.
#[test]
fn our_own_port_is_never_watched() {
    const PATH: &str = "/watched/own";
    require_root();
    let (observer, _rules) = observe(PATH, &["--web.listen-address", "0.0.0.0:18161"]);
    for _ in 0..3 {
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, 18_161));
        let answer = client::get(own, PATH).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    assert_eq!(counted(&observer), 0.0);
    let log = stop(observer);
    assert!(lines(&log, "watching port 18161").is_empty(), "{log}");
}

/// One request from another namespace, one over loopback to the same address, one to
/// 127.0.0.1.
fn ask_from_here_and_there(port: u16, args: &[&str]) -> (f64, String) {
    let (client, server, ends) = linked();
    let serving = serve(&server, port, 5);
    let (pinned, path) = (port.to_string(), format!("/watched/{port}"));
    let (observer, _rules) = observe(&path, &[&["--http-port", &pinned], args].concat());
    get(&client, ends.far[0], port, &path);
    for address in [ends.far[0], Ipv4Addr::LOCALHOST.into()] {
        get(&server, address, port, &path);
        get(&server, address, port, &path);
    }
    serving.join().expect("server");
    (counted(&observer), stop(observer))
}

const ON_THIS_HOST: &str = "has clients on this host itself";

#[test]
fn clients_on_this_host_count_and_are_told_of_once() {
    require_root();
    let (counted, log) = ask_from_here_and_there(18_168, &[]);
    assert_eq!(counted, 5.0);
    let told = lines(&log, ON_THIS_HOST);
    assert_eq!(told.len(), 1, "{log}");
    assert!(
        told[0].contains("port 18168 ") && told[0].contains("--local-clients ignore"),
        "{log}"
    );
}

/// A database on this host, say.
#[test]
fn clients_on_this_host_that_speak_no_http_are_not_told_of() {
    require_root();
    let netns = Netns::new("other").expect("netns");
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 18_170)).expect("listen");
    let listener = netns.inside(listen).expect("inside");
    let observer = Observer::start(&["--http-port", "18170"]).expect("observer");
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, 18_170)).expect("connect");
    let mut client = netns.inside(connect).expect("inside");
    client.write_all(b"SELECT 1;").expect("ask");
    let (mut server, _) = listener.accept().expect("accept");
    server.read_exact(&mut [0; 9]).expect("read");
    let log = stop(observer);
    assert!(lines(&log, ON_THIS_HOST).is_empty(), "{log}");
}

#[test]
fn clients_on_this_host_can_be_left_out() {
    require_root();
    let (counted, log) = ask_from_here_and_there(18_169, &["--local-clients", "ignore"]);
    assert_eq!(counted, 1.0);
    assert!(lines(&log, ON_THIS_HOST).is_empty(), "{log}");
}
