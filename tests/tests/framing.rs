//! Where an answer ends, whatever frames it, and who cut it when it did not.

use std::{
    io::{BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use tests::{
    capture::Capture,
    client::{read_answer, read_head, read_out, reset},
    nginx::Nginx,
    peer::Peer,
    scrape::Scrape,
    stage::Stage,
    truth::{self, RESPONSE_BYTES},
};

const GET: &str = "GET /api/x HTTP/1.1\r\nHost: test\r\n\r\n";
const HEAD: &str = "HEAD /api/x HTTP/1.1\r\nHost: test\r\n\r\n";
const POST: &str = "POST /api/x HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody";

/// More than all buffers hold.
const IMAGE: &str = "/images/os.raw";

/// A request, its answer on a connection that stays, and what is counted: method, status, bytes.
struct Case {
    asked: &'static str,
    answer: &'static str,
    counted: (&'static str, &'static str, f64),
}

const CASES: [Case; 14] = [
    Case {
        asked: GET,
        answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        counted: ("GET", "200", 5.0),
    },
    Case {
        asked: GET,
        answer: "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nh",
        counted: ("GET", "206", 1.0),
    },
    Case {
        asked: GET,
        answer: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        counted: ("GET", "404", 0.0),
    },
    Case {
        asked: GET,
        answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        counted: ("GET", "200", 15.0),
    },
    // A body that looks like the end of one.
    Case {
        asked: GET,
        answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n",
        counted: ("GET", "200", 19.0),
    },
    Case {
        asked: GET,
        answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            005;a=\"b\"\r\nhello\r\n0\r\n\r\n",
        counted: ("GET", "200", 23.0),
    },
    Case {
        asked: HEAD,
        answer: "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        counted: ("HEAD", "200", 0.0),
    },
    Case {
        asked: HEAD,
        answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        counted: ("HEAD", "200", 0.0),
    },
    Case {
        asked: GET,
        answer: "HTTP/1.1 204 No Content\r\n\r\n",
        counted: ("GET", "204", 0.0),
    },
    Case {
        asked: GET,
        answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n",
        counted: ("GET", "304", 0.0),
    },
    Case {
        asked: POST,
        answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        counted: ("POST", "200", 5.0),
    },
    Case {
        asked: GET,
        answer: "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        counted: ("GET", "200", 5.0),
    },
    Case {
        asked: POST,
        answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno",
        counted: ("POST", "500", 2.0),
    },
    // No such code is registered: its class is counted.
    Case {
        asked: GET,
        answer: "HTTP/1.1 299 Fine\r\nContent-Length: 2\r\n\r\nok",
        counted: ("GET", "2xx", 2.0),
    },
];

/// What may be between the last chunk's size and the blank line (RFC 9112 7.1).
const LAST_CHUNKS: [Case; 2] = [
    Case {
        asked: GET,
        answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            5\r\nhello\r\n00;c=d\r\n\r\n",
        counted: ("GET", "200", 20.0),
    },
    Case {
        asked: GET,
        answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n\
            5\r\nhello\r\n0\r\nX: y\r\n\r\n",
        counted: ("GET", "200", 21.0),
    },
];

#[test]
fn each_framing_has_its_end() {
    check("framing", 18_110, &CASES);
}

#[test]
fn a_last_chunk_may_have_an_extension_or_a_trailer() {
    check("trailer", 18_118, &LAST_CHUNKS);
}

/// The connections stay: only the framing says that the answers are whole.
fn check(purpose: &str, port: u16, cases: &[Case]) {
    let stage = Stage::new(purpose, port).expect("stage");
    let listener = stage.listen().expect("listen");
    let mut kept = Vec::new();
    let (mut ended, mut bytes) = (0.0, 0.0);
    for case in cases {
        let (method, status, len) = case.counted;
        let of = [("method", method), ("status", status)];
        let before = stage.observer.scrape().expect("scrape");
        kept.push(exchange(
            &stage,
            &listener,
            case.asked.as_bytes(),
            case.answer.as_bytes(),
        ));
        ended += 1.0;
        bytes += len;
        let answer = case.answer;
        let is_there = |scrape: &Scrape| total(scrape) == ended && in_flight(scrape) == 0.0;
        let scrape = stage.observer.until(is_there).expect(answer);
        let count = |scrape: &Scrape| scrape.sum("http_requests_total", &of);
        assert_eq!(count(&scrape), count(&before) + 1.0, "{answer}");
    }
    nothing_is_wrong(&stage);
    let has_bytes = |scrape: &Scrape| scrape.sum(RESPONSE_BYTES, &[]) == bytes;
    stage.observer.until(has_bytes).expect("bytes");
    stage.observer.stop().expect("stop");
}

/// Asks on a connection of its own, answers, reads; both ends stay.
fn exchange(
    stage: &Stage,
    listener: &TcpListener,
    asked: &[u8],
    answer: &[u8],
) -> (TcpStream, TcpStream) {
    let mut client = stage.connect().expect("connect");
    let (mut server, _) = listener.accept().expect("accept");
    client.write_all(asked).expect("ask");
    server
        .read_exact(&mut vec![0; asked.len()])
        .expect("the request");
    server.write_all(answer).expect("answer");
    client
        .read_exact(&mut vec![0; answer.len()])
        .expect("the answer");
    (client, server)
}

fn total(scrape: &Scrape) -> f64 {
    scrape.sum("http_requests_total", &[])
}

fn in_flight(scrape: &Scrape) -> f64 {
    scrape.sum("http_requests_in_flight", &[])
}

fn streams(scrape: &Scrape) -> f64 {
    scrape.sum("http_streams_in_flight", &[("endpoint", "api")])
}

fn aborted(scrape: &Scrape, side: &str) -> f64 {
    scrape.sum("http_requests_aborted_total", &[("side", side)])
}

/// Nothing lost, nothing cut; as many timed as counted.
fn nothing_is_wrong(stage: &Stage) {
    let scrape = stage.observer.scrape().expect("scrape");
    assert_eq!(scrape.lost(), []);
    assert_eq!(scrape.sum("http_requests_aborted_total", &[]), 0.0);
    truth::histogram_equals_counter(&scrape);
}

/// Without a length the server's end is the answer's end, and not an abort.
#[test]
fn what_the_close_ends_is_complete() {
    const BODY: usize = 100_000;
    let stage = Stage::new("close", 18_111).expect("stage");
    let listener = stage.listen().expect("listen");
    for (round, version) in [(1, "1.0"), (2, "1.1")] {
        let answer = [
            format!("HTTP/{version} 200 OK\r\n\r\n").into_bytes(),
            vec![b'x'; BODY],
        ]
        .concat();
        let (client, server) = exchange(&stage, &listener, GET.as_bytes(), &answer);
        let scrape = stage.observer.scrape().expect("scrape");
        assert_eq!(
            (total(&scrape), in_flight(&scrape)),
            (f64::from(round) - 1.0, 1.0)
        );
        drop(server);
        let has_ended = |scrape: &Scrape| (total(scrape), in_flight(scrape)) == (round.into(), 0.0);
        stage.observer.until(has_ended).expect("the end");
        drop(client);
    }
    nothing_is_wrong(&stage);
    let has_bytes = |scrape: &Scrape| scrape.sum(RESPONSE_BYTES, &[]) == 2.0 * BODY as f64;
    stage.observer.until(has_bytes).expect("bytes");
    stage.observer.stop().expect("stop");
}

fn ask(stage: &Stage, asked: &str) -> BufReader<TcpStream> {
    let mut stream = stage.connect().expect("connect");
    stream.write_all(asked.as_bytes()).expect("ask");
    BufReader::new(stream)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

fn peer(stage: &Stage, port: u16) -> Peer {
    let files = [(IMAGE, 50_000_000)];
    Peer::start(env!("CARGO_BIN_EXE_peer"), &stage.netns, port, &files).expect("peer")
}

/// Reads hyper's chunks to the last; returns their bytes, framing included.
fn read_chunks(stream: &mut BufReader<TcpStream>) -> u64 {
    let mut len = 0;
    loop {
        let mut line = String::new();
        std::io::BufRead::read_line(stream, &mut line).expect("a chunk's length");
        let size = u64::from_str_radix(line.trim_end(), 16).expect("hexadecimal");
        let mut chunk = vec![0; usize::try_from(size).expect("small") + 2];
        stream.read_exact(&mut chunk).expect("a chunk");
        len += (line.len() + chunk.len()) as u64;
        if size == 0 {
            return len;
        }
    }
}

/// A real server's: many small chunks, few large ones, and a client of HTTP/1.0, who gets none.
#[test]
fn chunked_answers_end_with_their_last_chunk() {
    const PORT: u16 = 18_112;
    let stage = Stage::new("chunked", PORT).expect("stage");
    let peer = peer(&stage, PORT);
    let mut stream = ask(&stage, "");
    let mut read = 0;
    for (round, path) in [
        "/api/chunked/10000/10",
        "/api/chunked/40/262144",
        "/api/chunked/1/1",
        "/api/chunked/0/1",
        "/api/chunked/300/1447",
    ]
    .into_iter()
    .enumerate()
    {
        stream
            .get_mut()
            .write_all(get(path).as_bytes())
            .expect("ask");
        read_head(&mut stream).expect("head");
        read += read_chunks(&mut stream);
        let is_over =
            |scrape: &Scrape| (total(scrape), in_flight(scrape)) == (round as f64 + 1.0, 0.0);
        stage.observer.until(is_over).expect(path);
    }
    let mut old = ask(&stage, "GET /api/chunked/100/1000 HTTP/1.0\r\n\r\n");
    read_head(&mut old).expect("head");
    read += read_out(&mut old).expect("body");
    stage
        .observer
        .until(|scrape| total(scrape) == 6.0)
        .expect("HTTP/1.0");
    drop(stream);
    let log = peer.stop().expect("log");
    let logged: u64 = log.iter().map(|row| row.bytes).sum();
    assert_eq!(logged, read, "the log knows the framing: {log:?}");
    let scrape = stage.observer.scrape().expect("scrape");
    truth::check(&scrape, &log, |_| "api".to_owned());
    nothing_is_wrong(&stage);
    truth::check_bytes(&stage.observer, &log);
    stage.observer.stop().expect("stop");
}

/// Statuses without a body, HEAD, 100-continue, and an answer that does not wait for the body.
#[test]
fn a_real_server_frames_as_the_plain_one() {
    const PORT: u16 = 18_113;
    let stage = Stage::new("axum", PORT).expect("stage");
    let peer = peer(&stage, PORT);
    let mut stream = ask(&stage, "");
    for (count, asked) in [
        get("/api/status/204"),
        get("/api/status/304"),
        get("/api/fixed/70000"),
        get("/api/fixed/70000").replace("GET", "HEAD"),
        get("/api/delay/20"),
    ]
    .iter()
    .enumerate()
    {
        stream.get_mut().write_all(asked.as_bytes()).expect("ask");
        if asked.starts_with("HEAD") {
            read_head(&mut stream).expect("head");
        } else {
            read_answer(&mut stream).expect("answer");
        }
        let is_over =
            |scrape: &Scrape| (total(scrape), in_flight(scrape)) == (count as f64 + 1.0, 0.0);
        stage.observer.until(is_over).expect(asked);
    }
    upload_after_continue(&mut stream);
    refused_upload(&stage);
    stage
        .observer
        .until(|scrape| (total(scrape), in_flight(scrape)) == (7.0, 0.0))
        .expect("uploads");
    drop(stream);
    let log = peer.stop().expect("log");
    let scrape = stage.observer.scrape().expect("scrape");
    truth::check(&scrape, &log, |_| "api".to_owned());
    truth::check_bytes(&stage.observer, &log);
    let uploaded = scrape.sum("http_request_bytes_total", &[("endpoint", "api")]);
    assert!(uploaded >= 100_000.0, "{uploaded} bytes uploaded");
    stage.observer.stop().expect("stop");
}

fn upload_after_continue(stream: &mut BufReader<TcpStream>) {
    let head = "POST /api/upload HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n";
    stream.get_mut().write_all(head.as_bytes()).expect("head");
    let interim = read_head(stream).expect("100");
    assert!(interim.starts_with("HTTP/1.1 100 "), "{interim}");
    stream.get_mut().write_all(&[b'x'; 100_000]).expect("body");
    let (_, body) = read_answer(stream).expect("answer");
    assert_eq!(body, b"100000");
}

fn refused_upload(stage: &Stage) {
    let head = "POST /api/refuse HTTP/1.1\r\nHost: test\r\nContent-Length: 100000000\r\n\r\n";
    let mut stream = ask(stage, head);
    let (head, _) = read_answer(&mut stream).expect("an answer before the body");
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    // Part of it is under way all the same; the server may have closed by now.
    let _ = stream.get_mut().write_all(&[b'x'; 100_000]);
}

/// They leave the requests in flight at their heads, and have no duration.
#[test]
fn streams_are_not_requests_in_flight() {
    const PORT: u16 = 18_114;
    let stage = Stage::new("streams", PORT).expect("stage");
    let peer = peer(&stage, PORT);
    let mut events = [
        ask(&stage, &get("/api/events")),
        ask(&stage, &get("/api/events")),
    ];
    for stream in &mut events {
        read_head(stream).expect("head");
    }
    let ask_to_upgrade =
        "GET /api/upgrade HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n";
    let mut upgraded = ask(&stage, ask_to_upgrade);
    read_head(&mut upgraded).expect("101");
    upgraded
        .read_exact(&mut [0; 10_000])
        .expect("the server's greeting");
    // What looks like a request is none any more.
    upgraded
        .get_mut()
        .write_all(GET.as_bytes())
        .expect("raw bytes");
    upgraded
        .read_exact(&mut vec![0; GET.len()])
        .expect("their echo");

    let all_stream = |scrape: &Scrape| (streams(scrape), in_flight(scrape)) == (3.0, 0.0);
    let scrape = stage.observer.until(all_stream).expect("three streams");
    let counted = |status| {
        let labels = [("endpoint", "api"), ("method", "GET"), ("status", status)];
        scrape.sum("http_requests_total", &labels)
    };
    assert_eq!(
        (counted("200"), counted("101"), total(&scrape)),
        (2.0, 1.0, 3.0)
    );
    drop((events, upgraded));
    let none_streams = |scrape: &Scrape| (streams(scrape), in_flight(scrape)) == (0.0, 0.0);
    let scrape = stage.observer.until(none_streams).expect("their ends");
    assert_eq!(total(&scrape), 3.0);
    assert_eq!(
        scrape.sum("http_request_duration_seconds_count", &[]),
        0.0,
        "no duration"
    );
    assert_eq!(scrape.sum("http_requests_aborted_total", &[]), 0.0);
    assert_eq!(scrape.lost(), []);
    assert_eq!(peer.stop().expect("log").len(), 3);
    stage.observer.stop().expect("stop");
}

/// Whoever has everything may leave as they like (GRUB resets).
#[test]
fn a_client_that_has_all_aborts_nothing() {
    const PORT: u16 = 18_115;
    let stage = Stage::new("leave", PORT).expect("stage");
    let files = [(IMAGE, 3_000_000), ("/images/empty", 0)];
    let nginx = Nginx::start(&stage.netns, PORT, &files).expect("nginx");
    for (path, _) in files {
        let mut reader = ask(&stage, &get(path));
        read_answer(&mut reader).expect("the whole answer");
        reset(reader.into_inner()).expect("reset");
    }
    let all_ended = |scrape: &Scrape| (total(scrape), in_flight(scrape)) == (2.0, 0.0);
    stage.observer.until(all_ended).expect("two answers");
    nothing_is_wrong(&stage);
    let log = nginx.stop().expect("log");
    truth::check_bytes(&stage.observer, &log);
    stage.observer.stop().expect("stop");
}

/// It has said all it will, and reads. (nginx leaves such a client while it still sends.)
#[test]
fn half_a_close_aborts_nothing() {
    const BODY: usize = 3_000_000;
    let stage = Stage::new("half", 18_119).expect("stage");
    let listener = stage.listen().expect("listen");
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("accept");
            let mut asked = BufReader::new(stream.try_clone().expect("clone"));
            read_head(&mut asked).expect("a request");
            assert_eq!(asked.read(&mut [0]).expect("half a close"), 0);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n");
            stream.write_all(head.as_bytes()).expect("a head");
            stream.write_all(&vec![0; BODY]).expect("a body");
        });
        let mut half = ask(&stage, GET);
        let done = half.get_mut().shutdown(Shutdown::Write);
        done.expect("half a close");
        let (_, body) = read_answer(&mut half).expect("the whole answer");
        assert_eq!(body.len(), BODY);
    });
    let is_over = |scrape: &Scrape| (total(scrape), in_flight(scrape)) == (1.0, 0.0);
    stage.observer.until(is_over).expect("an answer");
    let has_all = |scrape: &Scrape| scrape.sum(RESPONSE_BYTES, &[]) == BODY as f64;
    stage.observer.until(has_all).expect("bytes");
    nothing_is_wrong(&stage);
    stage.observer.stop().expect("stop");
}

/// How an exchange is cut, and by whom.
struct Cut {
    path: &'static str,
    side: &'static str,
    leave: fn(BufReader<TcpStream>),
}

const CUTS: [Cut; 6] = [
    Cut {
        path: IMAGE,
        side: "client",
        leave: |stream| reset(stream.into_inner()).expect("reset"),
    },
    // The kernel resets for whom leaves bytes unread.
    Cut {
        path: IMAGE,
        side: "client",
        leave: |stream| drop(stream),
    },
    Cut {
        path: "/api/chunked/5000/10000",
        side: "client",
        leave: |stream| drop(stream),
    },
    Cut {
        path: "/api/cut/length/1000000/300000",
        side: "server",
        leave: read_until_cut,
    },
    Cut {
        path: "/api/cut/length/1000000/1",
        side: "server",
        leave: read_until_cut,
    },
    Cut {
        path: "/api/cut/chunked/300000",
        side: "server",
        leave: read_until_cut,
    },
];

fn read_until_cut(mut stream: BufReader<TcpStream>) {
    read_out(&mut stream).expect("what there is");
}

/// Bytes of what was cut are those that the client acknowledged.
#[test]
fn what_is_cut_has_a_side_and_its_bytes() {
    const PORT: u16 = 18_116;
    let stage = Stage::new("cut", PORT).expect("stage");
    let capture = Capture::start(&stage.netns, PORT).expect("capture");
    let peer = peer(&stage, PORT);
    let mut heads = 0;
    for (done, cut) in CUTS.iter().enumerate() {
        let mut stream = ask(&stage, &get(cut.path));
        heads += read_head(&mut stream).expect("head").len() as u64;
        if cut.side == "client" {
            stream.read_exact(&mut [0; 200_000]).expect("some of it");
        }
        (cut.leave)(stream);
        let is_over =
            |scrape: &Scrape| (total(scrape), in_flight(scrape)) == (done as f64 + 1.0, 0.0);
        stage.observer.until(is_over).expect(cut.path);
    }
    let acknowledged = capture.acknowledged(&stage.netns).expect("tshark");
    let log = peer.stop().expect("log");
    assert!(log.iter().all(|row| !row.complete), "{log:?}");
    let scrape = stage.observer.scrape().expect("scrape");
    let endpoint = |target: &str| if target == IMAGE { "image" } else { "api" }.to_owned();
    truth::check(&scrape, &log, endpoint);
    for side in ["client", "server"] {
        let cuts = CUTS.iter().filter(|cut| cut.side == side).count();
        assert_eq!(aborted(&scrape, side), cuts as f64, "{side}");
    }
    let sent: u64 = acknowledged.values().sum();
    assert_eq!(scrape.sum(RESPONSE_BYTES, &[]), (sent - heads) as f64);
    stage.observer.stop().expect("stop");
}

/// No status line: `none`, and it is the server who did not answer.
#[test]
fn no_answer_is_an_answer() {
    let stage = Stage::new("none", 18_117).expect("stage");
    let listener = stage.listen().expect("listen");
    // The first two are closed in good order, the last is reset.
    let ends: [fn(TcpStream); 3] = [drop, drop, |stream| reset(stream).expect("reset")];
    let server = thread::spawn(move || {
        for end in ends {
            let (mut stream, _) = listener.accept().expect("accept");
            let mut request = vec![0; GET.len()];
            stream.read_exact(&mut request).expect("the request");
            end(stream);
        }
    });
    for _ in 0..3 {
        let mut stream = ask(&stage, GET);
        assert_eq!(read_out(&mut stream).expect("the end"), 0);
    }
    server.join().expect("server");
    let none = [("method", "GET"), ("status", "none")];
    let all_ended = |scrape: &Scrape| scrape.sum("http_requests_total", &none) == 3.0;
    let scrape = stage.observer.until(all_ended).expect("three ends");
    assert_eq!(
        (total(&scrape), in_flight(&scrape), scrape.lost()),
        (3.0, 0.0, vec![])
    );
    truth::histogram_equals_counter(&scrape);
    assert_eq!(aborted(&scrape, "server"), 3.0);
    assert_eq!(aborted(&scrape, "client"), 0.0);
    stage.observer.stop().expect("stop");
}
