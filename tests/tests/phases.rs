//! Where the time goes, told by the clients' clocks and by servers that say what they did.

use std::{
    io::{Read as _, Write as _},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use tests::{
    client::read_answer, peer::Peer, python::SlowPython, scrape::Scrape, server::Row, stage::Stage,
    truth,
};

const CLIENTS: usize = 8;
const HANDLER_MS: u64 = 200;

fn phase(scrape: &Scrape, phase: &str) -> f64 {
    scrape.sum("http_request_phase_seconds_sum", &[("phase", phase)])
}

fn waiting(scrape: &Scrape) -> f64 {
    scrape.sum("http_requests_waiting", &[])
}

/// Of sums over requests: 5 ms or 2 % each.
fn check_close(what: &str, ours: f64, theirs: f64, requests: usize) {
    let tolerance = (0.005 * requests as f64).max(0.02 * theirs);
    assert!(
        (ours - theirs).abs() <= tolerance,
        "{what}: {ours} s, the other side says {theirs} s"
    );
}

fn time_to_first_byte(scrape: &Scrape) -> f64 {
    ["queue", "receive", "handle"]
        .map(|one| phase(scrape, one))
        .iter()
        .sum()
}

/// The phases are the duration, and each request has each of them.
fn phases_are_the_duration(scrape: &Scrape, requests: usize) {
    let duration = scrape.sum("http_request_duration_seconds_sum", &[]);
    let phases = time_to_first_byte(scrape) + phase(scrape, "transfer");
    assert!(
        (phases - duration).abs() <= 1e-6 * duration,
        "{phases} s in phases, {duration} s in all"
    );
    for phase in ["queue", "receive", "handle", "transfer"] {
        let count = scrape.sum("http_request_phase_seconds_count", &[("phase", phase)]);
        assert_eq!(count, requests as f64, "{phase}");
    }
}

fn handled(log: &[Row]) -> f64 {
    log.iter().map(|row| row.handled).sum()
}

/// Sends at once with the others; returns the seconds to the first byte.
fn ask_at_once(stage: &Stage, barrier: &Barrier) -> f64 {
    let mut stream = stage.connect().expect("connect");
    barrier.wait();
    let asked = Instant::now();
    stream
        .write_all(b"GET /boot/x HTTP/1.0\r\n\r\n")
        .expect("ask");
    stream.read_exact(&mut [0]).expect("first byte");
    let waited = asked.elapsed().as_secs_f64();
    stream.read_to_end(&mut Vec::new()).expect("the rest");
    waited
}

/// While it answers one, seven wait.
#[test]
fn who_waits_for_a_server_of_one_thread_is_in_its_queue() {
    const PORT: u16 = 18_135;
    let stage = Stage::new("queue", PORT).expect("stage");
    let server = SlowPython::start(&stage.netns, PORT, HANDLER_MS, 64).expect("server");
    let barrier = Barrier::new(CLIENTS);
    let (waited, seen) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| ask_at_once(&stage, &barrier)))
            .collect();
        let seen = stage.observer.until(|scrape| waiting(scrape) > 0.0);
        let waited: f64 = clients
            .into_iter()
            .map(|client| client.join().expect("client"))
            .sum();
        (waited, seen)
    });
    let log = server.stop().expect("log");
    assert_eq!(log.len(), CLIENTS);
    let scrape = stage.observer.scrape().expect("scrape");
    truth::check(&scrape, &log, |_| "boot".to_owned());
    let seen = seen.expect("somebody waits");
    assert!(waiting(&seen) < seen.sum("http_requests_in_flight", &[]) + 1.0);
    assert_eq!(waiting(&scrape), 0.0);
    phases_are_the_duration(&scrape, CLIENTS);
    check_close("first bytes", time_to_first_byte(&scrape), waited, CLIENTS);
    check_close("handle", phase(&scrape, "handle"), handled(&log), CLIENTS);
    let queued = waited - handled(&log);
    check_close("queue", phase(&scrape, "queue"), queued, CLIENTS);
    stage.observer.stop().expect("stop");
}

/// Some requests come before their sockets, some handshakes have to be repeated.
#[test]
fn a_full_accept_queue_loses_no_request() {
    const PORT: u16 = 18_136;
    let stage = Stage::new("backlog", PORT).expect("stage");
    let server = SlowPython::start(&stage.netns, PORT, HANDLER_MS, 2).expect("server");
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            // Nobody waits for the others: who is not let in could not be waited for.
            scope.spawn(|| ask_at_once(&stage, &Barrier::new(1)));
        }
    });
    let log = server.stop().expect("log");
    assert_eq!(log.len(), CLIENTS);
    let scrape = stage.observer.scrape().expect("scrape");
    truth::check(&scrape, &log, |_| "boot".to_owned());
    assert_eq!(waiting(&scrape), 0.0);
    phases_are_the_duration(&scrape, CLIENTS);
    check_close("handle", phase(&scrape, "handle"), handled(&log), CLIENTS);
    stage.observer.stop().expect("stop");
}

/// The server's own log has the split: what it did, and what it waited for the client.
#[test]
fn a_body_that_comes_late_is_received_not_handled() {
    const PORT: u16 = 18_137;
    const PAUSE: Duration = Duration::from_millis(300);
    const ANSWERS: usize = 10;
    let stage = Stage::new("receive", PORT).expect("stage");
    let peer = Peer::start(env!("CARGO_BIN_EXE_peer"), &stage.netns, PORT, &[]).expect("peer");
    let mut stream = std::io::BufReader::new(stage.connect().expect("connect"));
    for _ in 0..ANSWERS {
        let asked = b"GET /api/delay/50 HTTP/1.1\r\nHost: test\r\n\r\n";
        stream.get_mut().write_all(asked).expect("ask");
        read_answer(&mut stream).expect("answer");
    }
    let scrape = stage.observer.scrape().expect("scrape");
    phases_are_the_duration(&scrape, ANSWERS);
    let before = phase(&scrape, "handle");

    let head = b"POST /api/upload HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\n";
    for part in [&head[..20], &head[20..], b"half", b"half"] {
        stream.get_mut().write_all(part).expect("a part");
        // The client's own slowness, which is what is measured.
        thread::sleep(if part == b"half" {
            Duration::ZERO
        } else {
            PAUSE
        });
    }
    read_answer(&mut stream).expect("answer");
    let scrape = stage.observer.scrape().expect("scrape");
    phases_are_the_duration(&scrape, ANSWERS + 1);
    let received = phase(&scrape, "receive");
    check_close("receive", received, 2.0 * PAUSE.as_secs_f64(), ANSWERS + 1);
    assert!(phase(&scrape, "handle") - before < PAUSE.as_secs_f64() / 2.0);

    drop(stream);
    let log = peer.stop().expect("log");
    let delays: Vec<Row> = log.into_iter().filter(|row| row.method == "GET").collect();
    check_close("handle", before, handled(&delays), ANSWERS);
    stage.observer.stop().expect("stop");
}
