//! Requests that do not wait for their answers, cut and packed as the network likes.

use std::{
    io::{BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    ops::Range,
    thread,
};

use tests::{
    client::{prepare, read_answer, read_out},
    cpu,
    nginx::Nginx,
    peer::Peer,
    scrape::Scrape,
    server,
    stage::Stage,
    truth::{self, RESPONSE_BYTES},
};

const FILES: [(&str, usize); 3] = [
    ("/boot/script.ipxe", 300),
    ("/images/os.raw", 1_000_000),
    ("/boot/empty", 0),
];

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// The last one closes, so that whoever reads to the end has everything.
fn last(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
}

fn endpoint(target: &str) -> String {
    let is_image = target.starts_with("/images/");
    if is_image { "image" } else { "boot" }.to_owned()
}

fn over(total: f64) -> impl Fn(&Scrape) -> bool {
    move |scrape| {
        let in_flight = scrape.sum("http_requests_in_flight", &[]);
        (scrape.sum("http_requests_total", &[]), in_flight) == (total, 0.0)
    }
}

/// Against nginx, which packs small answers into few segments, and sends large ones in many.
fn through_nginx(purpose: &str, port: u16, conversations: &[Vec<String>]) {
    let stage = Stage::new(purpose, port).expect("stage");
    let folder = server::folder(&FILES).expect("folder");
    let options = "sendfile on; tcp_nopush on; keepalive_requests 100000;";
    let nginx = Nginx::start_with(&stage.netns, port, folder, options).expect("nginx");
    // A busy CPU takes segments later than another does what is sent there next.
    cpu::stay_on_one().expect("stay");
    for segments in conversations {
        let mut stream = stage.connect().expect("connect");
        for segment in segments {
            stream.write_all(segment.as_bytes()).expect("ask");
        }
        read_out(&mut BufReader::new(stream)).expect("answers");
    }
    let asked = conversations
        .iter()
        .map(|segments| segments.concat().matches("HTTP/1.1").count())
        .sum::<usize>();
    let reached = stage.observer.until(over(asked as f64));
    let log = nginx.stop().expect("log");
    assert_eq!(log.len(), asked);
    let reached = reached.expect("all ended");
    truth::check(&reached, &log, endpoint);
    // A few events a request, none a segment: its head, its end, and the rest of a head that is
    // cut.
    let more = reached.sum("pxe_observer_events_total", &[("kind", "response_more")]);
    assert!(more <= 2.0 * asked as f64, "{more} events for {asked}");
    truth::check_bytes(&stage.observer, &log);
    stage.observer.stop().expect("stop");
}

/// Ten requests in one write.
fn ten(path: &str) -> Vec<String> {
    vec![get(path).repeat(9) + &last(path)]
}

#[test]
fn small_answers_share_segments() {
    let mixed = get("/boot/script.ipxe") + &get("/boot/missing") + &get("/boot/empty");
    let heads = get("/boot/script.ipxe").replace("GET", "HEAD").repeat(5);
    let conversations = [
        ten("/boot/script.ipxe"),
        ten("/boot/empty"),
        ten("/boot/missing"),
        vec![mixed.repeat(3) + &heads + &last("/boot/empty")],
    ];
    through_nginx("small", 18_120, &conversations);
}

#[test]
fn large_answers_span_segments() {
    let between = get("/images/os.raw") + &get("/boot/script.ipxe");
    let conversations = [
        ten("/images/os.raw"),
        vec![between.repeat(5) + &last("/images/os.raw")],
    ];
    through_nginx("large", 18_121, &conversations);
}

/// Segments end anywhere in their chunks.
#[test]
fn chunked_answers_span_segments() {
    const PORT: u16 = 18_127;
    let stage = Stage::new("chunks", PORT).expect("stage");
    let peer = Peer::start(env!("CARGO_BIN_EXE_peer"), &stage.netns, PORT, &[]).expect("peer");
    let few = get("/api/chunked/3/100").repeat(4);
    let many = get("/api/chunked/500/1447").repeat(4);
    let mut stream = stage.connect().expect("connect");
    let asked = few + &many + &last("/api/chunked/20/50000");
    stream.write_all(asked.as_bytes()).expect("ask");
    read_out(&mut BufReader::new(stream)).expect("answers");
    let reached = stage.observer.until(over(9.0));
    let log = peer.stop().expect("log");
    assert_eq!(log.len(), 9);
    truth::check(&reached.expect("all ended"), &log, |_| "api".to_owned());
    truth::check_bytes(&stage.observer, &log);
    stage.observer.stop().expect("stop");
}

/// Three requests, the first segment of which ends at any byte of them.
#[test]
fn requests_cut_at_any_byte() {
    let three = get("/boot/script.ipxe") + &get("/boot/empty") + &last("/boot/missing");
    let cut = |at: usize| vec![three[..at].to_owned(), three[at..].to_owned()];
    let conversations: Vec<_> = (1..three.len()).map(cut).collect();
    through_nginx("cut", 18_122, &conversations);
}

/// Each byte its own segment.
#[test]
fn requests_byte_by_byte() {
    let three = get("/boot/script.ipxe") + &get("/boot/empty") + &last("/boot/missing");
    let bytes = three.chars().map(String::from).collect();
    through_nginx("bytes", 18_123, &[bytes]);
}

const ANSWERS: [&str; 4] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
];
/// Of their bodies, framing included.
const ANSWERS_BYTES: usize = 5 + 12;

/// Reads what was asked in one go, answers in these pieces, and closes.
fn answer_in_pieces(listener: &TcpListener, asked: usize, answers: &str, pieces: &[Range<usize>]) {
    let (mut stream, _) = listener.accept().expect("accept");
    prepare(&stream).expect("prepare");
    stream.read_exact(&mut vec![0; asked]).expect("requests");
    for piece in pieces {
        let piece = &answers.as_bytes()[piece.clone()];
        stream.write_all(piece).expect("answer");
    }
}

/// Four answers, the first segment of which ends at any byte of them, and all in one.
#[test]
fn answers_cut_at_any_byte() {
    let stage = Stage::new("heads", 18_124).expect("stage");
    let listener = stage.listen().expect("listen");
    let (asked, answers) = (get("/boot/x").repeat(ANSWERS.len()), ANSWERS.concat());
    let rounds = answers.len();
    let cuts = 1..=rounds;
    thread::scope(|scope| {
        scope.spawn(|| {
            for at in cuts.clone() {
                answer_in_pieces(
                    &listener,
                    asked.len(),
                    &answers,
                    &[0..at, at..answers.len()],
                );
            }
        });
        for _ in cuts.clone() {
            let mut stream = stage.connect().expect("connect");
            stream.write_all(asked.as_bytes()).expect("ask");
            let read = read_out(&mut BufReader::new(stream)).expect("answers");
            assert_eq!(read, answers.len() as u64);
        }
    });
    let all = over((ANSWERS.len() * rounds) as f64);
    let scrape = stage.observer.until(all).expect("all ended");
    for (status, each) in [("200", 2), ("204", 1), ("404", 1)] {
        let counted = scrape.sum("http_requests_total", &[("status", status)]);
        assert_eq!(counted, (each * rounds) as f64, "{status}");
    }
    assert_eq!(scrape.lost(), []);
    truth::histogram_equals_counter(&scrape);
    let bytes = (ANSWERS_BYTES * rounds) as f64;
    let has_all = |scrape: &Scrape| scrape.sum(RESPONSE_BYTES, &[]) == bytes;
    stage.observer.until(has_all).expect("bytes");
    stage.observer.stop().expect("stop");
}

/// A segment is lost on its way, and the one behind it overtakes it: what cannot be told apart is
/// counted, to the last request.
#[test]
fn what_a_gap_hides_is_counted() {
    const PORT: u16 = 18_128;
    let stage = Stage::new("gap", PORT).expect("stage");
    let drop_second = "add table ip t; add chain ip t in { type filter hook input priority 0; };
        add rule ip t in tcp dport 18128 ip length > 60 numgen inc mod 1000 == 1 counter drop";
    let rule = stage.netns.command("nft").arg(drop_second).status();
    assert!(rule.expect("nft").success());
    let listener = stage.listen().expect("listen");
    let asked = get("/boot/x").repeat(3);
    let answers = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".repeat(9);
    let whole = 0..answers.len();
    thread::scope(|scope| {
        scope.spawn(|| answer_in_pieces(&listener, 3 * asked.len(), &answers, &[whole]));
        let mut stream = stage.connect().expect("connect");
        for _ in 0..3 {
            stream.write_all(asked.as_bytes()).expect("ask");
        }
        read_out(&mut BufReader::new(stream)).expect("answers");
    });
    let lost = |count: f64| [("pipelined_opaque".to_owned(), count)];
    let all = stage.observer.until(|scrape| scrape.lost() == lost(9.0));
    assert!(over(0.0)(&all.expect("all are lost")));
    stage.observer.stop().expect("stop");
}

/// Those behind an answer that closes are never served: counted apart, and nowhere else.
#[test]
fn what_is_behind_a_close_is_discarded() {
    let stage = Stage::new("discard", 18_125).expect("stage");
    let listener = stage.listen().expect("listen");
    let asked = get("/boot/x").repeat(5);
    let kept = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let answers = kept.repeat(2) + &kept.replace("OK", "OK\r\nConnection: close");
    let whole = 0..answers.len();
    thread::scope(|scope| {
        scope.spawn(|| answer_in_pieces(&listener, asked.len(), &answers, &[whole]));
        let mut stream = stage.connect().expect("connect");
        stream.write_all(asked.as_bytes()).expect("ask");
        read_out(&mut BufReader::new(stream)).expect("answers");
    });
    let scrape = stage.observer.until(over(3.0)).expect("three ended");
    assert_eq!(scrape.lost(), []);
    assert_eq!(scrape.sum("http_requests_discarded_total", &[]), 2.0);
    assert_eq!(scrape.sum("http_requests_aborted_total", &[]), 0.0);
    truth::histogram_equals_counter(&scrape);
    stage.observer.stop().expect("stop");
}

/// nginx closes after the third: of what is behind it, nothing is in its log.
#[test]
fn what_nginx_discards_is_not_in_its_log() {
    const PORT: u16 = 18_126;
    let stage = Stage::new("three", PORT).expect("stage");
    let folder = server::folder(&FILES).expect("folder");
    let options = "sendfile on; keepalive_requests 3;";
    let nginx = Nginx::start_with(&stage.netns, PORT, folder, options).expect("nginx");
    let mut stream: BufReader<TcpStream> = BufReader::new(stage.connect().expect("connect"));
    let asked = get("/boot/script.ipxe").repeat(5);
    stream.get_mut().write_all(asked.as_bytes()).expect("ask");
    for _ in 0..3 {
        read_answer(&mut stream).expect("an answer");
    }
    drop(stream);
    let scrape = stage.observer.until(over(3.0)).expect("three ended");
    let log = nginx.stop().expect("log");
    truth::check(&scrape, &log, endpoint);
    assert_eq!(scrape.sum("http_requests_discarded_total", &[]), 2.0);
    truth::check_bytes(&stage.observer, &log);
    stage.observer.stop().expect("stop");
}
