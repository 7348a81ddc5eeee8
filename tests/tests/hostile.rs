//! Whatever is sent to a boot server's port: nothing panics, and it is counted as what it is.

use std::{
    io::{BufReader, Write as _},
    net::TcpStream,
    time::Duration,
};

use tests::{
    client::{get, read_answer, read_out},
    nginx::Nginx,
    scrape::Scrape,
    server,
    stage::Stage,
    truth,
};

const FILES: [(&str, usize); 1] = [("/boot/script.ipxe", 300)];
/// It takes heads of any size that is sent here, and has patience.
const OPTIONS: &str = "large_client_header_buffers 8 128k; client_header_timeout 60s; sendfile on;";

fn start(purpose: &str, port: u16) -> (Stage, Nginx) {
    let stage = Stage::new(purpose, port).expect("stage");
    let folder = server::folder(&FILES).expect("folder");
    let nginx = Nginx::start_with(&stage.netns, port, folder, OPTIONS).expect("nginx");
    (stage, nginx)
}

/// It is healthy, and ends in good order.
fn survives(stage: Stage) {
    let health = get(stage.observer.address(), "/healthz").expect("healthz");
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n"), "{health}");
    let (took, status, log) = stage.observer.stop().expect("stop");
    assert!(
        status.success() && took < Duration::from_secs(1) && !log.contains("panicked"),
        "{status} after {took:?}: {log}"
    );
}

fn total(scrape: &Scrape) -> f64 {
    scrape.sum("http_requests_total", &[])
}

fn in_flight(scrape: &Scrape) -> f64 {
    scrape.sum("http_requests_in_flight", &[])
}

fn incomplete(scrape: &Scrape) -> f64 {
    scrape.sum("http_heads_incomplete", &[])
}

fn of_protocol(scrape: &Scrape, protocol: &str) -> f64 {
    let labels = [("protocol", protocol)];
    scrape.sum("pxe_observer_connections_total", &labels)
}

const HELLO: &[u8] =
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x01\x02\x03\x04\x05\x06\x07";

/// What is said first, and the protocol that it is.
const OPENINGS: [(&[u8], &str); 10] = [
    (HELLO, "tls"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"),
    (&[0; 4096], "other"),
    (b"SSH-2.0-OpenSSH_9.2p1\r\n", "other"),
    (b"EHLO host1.example.com\r\n", "other"),
    (b"OPTIONS rtsp://host/x RTSP/1.0\r\n\r\n", "other"),
    (b"PING\r\n", "other"),
    (b"*1\r\n$4\r\nPING\r\n", "other"),
    (b"\xff\xfb\x01\xff\xfd\x03", "other"),
    (
        b"GET /boot/script.ipxe HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        "http",
    ),
];

#[test]
fn each_connection_is_of_a_protocol() {
    let (stage, nginx) = start("protocols", 18_140);
    for (opening, protocol) in &OPENINGS {
        let mut stream = stage.connect().expect("connect");
        stream.write_all(opening).expect("say");
        if *protocol == "http" {
            read_answer(&mut BufReader::new(stream)).expect("answer");
        }
    }
    let protocols = ["tls", "http2", "other", "http"];
    let expected = |protocol: &str| OPENINGS.iter().filter(|row| row.1 == protocol).count() as f64;
    let scrape = stage
        .observer
        .until(|scrape| (total(scrape), in_flight(scrape)) == (1.0, 0.0));
    let scrape = scrape.expect("one request");
    assert_eq!(incomplete(&scrape), 0.0);
    assert_eq!(scrape.sum("http_requests_total", &[("method", "GET")]), 1.0);
    let are_told = |scrape: &Scrape| {
        protocols
            .iter()
            .all(|one| of_protocol(scrape, one) == expected(one))
    };
    stage.observer.until(are_told).expect("their protocols");
    assert_eq!(stage.observer.scrape().expect("scrape").lost(), []);
    nginx.stop().expect("log");
    survives(stage);
}

/// One that is not whole is not a request, whatever came of it.
#[test]
fn slow_heads_are_counted_while_they_last() {
    const ATTACKERS: usize = 30;
    const FINISHERS: usize = 10;
    let (stage, nginx) = start("slowloris", 18_141);
    let mut streams: Vec<TcpStream> = (0..ATTACKERS)
        .map(|_| stage.connect().expect("connect"))
        .collect();
    for byte in b"GET /boot/script.ipxe HT" {
        for stream in &mut streams {
            stream.write_all(&[*byte]).expect("a byte");
        }
    }
    let is_now = |heads: usize, requests: usize| {
        let now = (heads as f64, requests as f64);
        move |scrape: &Scrape| (incomplete(scrape), in_flight(scrape)) == now
    };
    let scrape = stage.observer.scrape().expect("scrape");
    assert_eq!((in_flight(&scrape), total(&scrape)), (0.0, 0.0));
    stage
        .observer
        .until(is_now(ATTACKERS, 0))
        .expect("all incomplete");

    let mut finishers = streams.split_off(ATTACKERS - FINISHERS);
    for stream in &mut finishers {
        stream
            .write_all(b"TP/1.1\r\nHost:")
            .expect("the line's end");
    }
    let half = is_now(ATTACKERS - FINISHERS, FINISHERS);
    stage.observer.until(half).expect("some have their lines");
    drop(streams);
    stage
        .observer
        .until(is_now(0, FINISHERS))
        .expect("the others are gone");
    for mut stream in finishers {
        stream.write_all(b" test\r\n\r\n").expect("the head's end");
        read_answer(&mut BufReader::new(stream)).expect("answer");
    }
    let scrape = stage.observer.until(is_now(0, 0)).expect("all gone");
    let labels = [("method", "GET"), ("status", "200")];
    assert_eq!(scrape.sum("http_requests_total", &labels), FINISHERS as f64);
    assert_eq!(total(&scrape), FINISHERS as f64);
    nginx.stop().expect("log");
    survives(stage);
}

/// A head of this size is answered by nginx; its first line is enough for us.
#[test]
fn what_is_not_read_of_a_large_head_is_told() {
    let (stage, nginx) = start("heads", 18_142);
    let line = "GET /boot/script.ipxe HTTP/1.1\r\nHost: test\r\n";
    let heads = [
        format!(
            "{line}X: {}\r\nConnection: close\r\n\r\n",
            "x".repeat(64 << 10)
        ),
        format!(
            "{line}{}Connection: close\r\n\r\n",
            "X: y\r\n".repeat(11_000)
        ),
        // It has no end: nginx refuses it when its buffers are full.
        format!("{line}{}", "X: y\r\n".repeat(300_000)),
    ];
    for head in &heads {
        let mut stream = stage.connect().expect("connect");
        // Whoever refuses it does not read all of it.
        let _ = stream.write_all(head.as_bytes());
        read_out(&mut BufReader::new(stream)).expect("the end");
    }
    let log = nginx.stop().expect("log");
    assert_eq!(log.len(), heads.len());
    // In any order: each of nginx's workers keeps its part of the log until it ends.
    for status in [200, 400] {
        assert!(log.iter().any(|row| row.status == status), "{log:?}");
    }
    let are_over = |scrape: &Scrape| (total(scrape), in_flight(scrape)) == (3.0, 0.0);
    let scrape = stage.observer.until(are_over).expect("three requests");
    assert_eq!(scrape.lost(), []);
    let truncated = [("kind", "request_head_truncated")];
    let unread = |labels: &[_]| scrape.sum("pxe_observer_decode_errors_total", labels);
    assert_eq!((unread(&truncated), unread(&[])), (3.0, 3.0));
    let logged = truth::logged(&log, |_| "boot".to_owned());
    assert_eq!(truth::counted(&scrape), logged);
    survives(stage);
}

/// Bytes of a fixed sequence, valid beginnings with them: nothing is left of any.
#[test]
fn nonsense_leaves_nothing_behind() {
    let (stage, nginx) = start("nonsense", 18_143);
    let mut random = 1_u64;
    for round in 0..300 {
        let mut next = || {
            // Knuth's MMIX.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            random.to_be_bytes()[0]
        };
        let valid = "GET /boot/script.ipxe HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n";
        let begun = usize::from(next()) % valid.len();
        let mut said = valid.as_bytes()[..begun].to_vec();
        said.extend((0..usize::from(next()) * 16).map(|_| next()));
        let mut stream = stage.connect().expect("connect");
        // It may be refused before it is all said.
        let _ = stream.write_all(&said);
        if round % 3 != 0 {
            continue;
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        read_out(&mut BufReader::new(stream)).expect("the end");
    }
    let are_gone = |scrape: &Scrape| (incomplete(scrape), in_flight(scrape)) == (0.0, 0.0);
    stage.observer.until(are_gone).expect("all gone");
    nginx.stop().expect("log");
    survives(stage);
}
