//! Connections that live on: nothing that one exchange looked like may change what the next one is.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use tests::{client, scrape::Scrape, stage::Stage, truth::RESPONSE_BYTES};

const GET: &[u8] = b"GET /api/x HTTP/1.1\r\nHost: test\r\n\r\n";
const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
/// Turns after which answers are not followed byte by byte any more.
const TURNS: usize = 20;

/// Both ends of a connection; what one says the other has read before anything else happens.
struct Talk {
    client: TcpStream,
    server: TcpStream,
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, said: &[u8]) {
    from.write_all(said).expect("say");
    let mut heard = vec![0; said.len()];
    to.read_exact(&mut heard).expect("hear");
    assert_eq!(heard, said);
}

impl Talk {
    fn asks(&mut self, said: &[u8]) {
        pass(&mut self.client, &mut self.server, said);
    }

    fn answers(&mut self, said: &[u8]) {
        pass(&mut self.server, &mut self.client, said);
    }

    fn turn(&mut self, asked: &[u8], answer: &[u8]) {
        self.asks(asked);
        self.answers(answer);
    }

    fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.turn(GET, HELLO);
        }
    }
}

/// Has the conversation, and hands its last scrape over while it is still open: by then `ended`
/// requests have, `streams` stream, and no more are in flight.
fn talk(purpose: &str, port: u16, ended: usize, streams: usize, of: impl Fn(&mut Talk)) -> Scrape {
    let stage = Stage::new(purpose, port).expect("stage");
    let listener = stage.listen().expect("listen");
    let client = stage.connect().expect("connect");
    let (server, _) = listener.accept().expect("accept");
    client::prepare(&server).expect("prepare");
    let mut both = Talk { client, server };
    of(&mut both);
    let sum = |scrape: &Scrape, name: &str| scrape.sum(name, &[]);
    let are_over = |scrape: &Scrape| {
        let now = (
            sum(scrape, "http_requests_total"),
            sum(scrape, "http_streams_in_flight"),
            sum(scrape, "http_requests_in_flight"),
        );
        now == (ended as f64, streams as f64, 0.0)
    };
    let scrape = stage.observer.until(are_over).expect("all ended");
    stage.observer.stop().expect("stop");
    scrape
}

fn counted(scrape: &Scrape, method: &str, status: &str) -> f64 {
    let labels = [("method", method), ("status", status)];
    scrape.sum("http_requests_total", &labels)
}

/// What Go's servers answer, and numbers: as chunks begin, too.
#[test]
fn a_body_that_begins_like_a_chunk_is_a_body() {
    const BODIES: [&str; 5] = [
        "404 page not found\n",
        "1000\n",
        "ff;x",
        "0\r\n\r\n",
        "deadbeef0",
    ];
    let asked = 2 * TURNS * BODIES.len();
    let scrape = talk("bodies", 18_240, asked + BODIES.len(), 0, |both| {
        for body in BODIES {
            both.turns(TURNS);
            let length = body.len();
            let answer = format!("HTTP/1.1 404 No\r\nContent-Length: {length}\r\n\r\n{body}");
            both.turn(GET, answer.as_bytes());
            both.turns(TURNS);
        }
    });
    assert_eq!(counted(&scrape, "GET", "404"), BODIES.len() as f64);
    assert_eq!(counted(&scrape, "GET", "200"), asked as f64);
    assert_eq!(scrape.lost(), []);
}

/// Its last chunk ends it, not its head, although the answer before it is over.
#[test]
fn a_chunked_answer_to_a_split_head_is_in_flight_to_its_last_chunk() {
    let stage = Stage::new("split", 18_241).expect("stage");
    let listener = stage.listen().expect("listen");
    let client = stage.connect().expect("connect");
    let (server, _) = listener.accept().expect("accept");
    let mut both = Talk { client, server };
    let in_flight = |scrape: &Scrape| scrape.sum("http_requests_in_flight", &[]);
    both.turns(1);
    let (front, back) = GET.split_at(20);
    both.asks(front);
    both.asks(back);
    both.answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..10 {
        let scrape = stage.observer.scrape().expect("scrape");
        assert_eq!(in_flight(&scrape), 1.0);
        assert_eq!(counted(&scrape, "GET", "200"), 1.0);
        both.answers(b"5\r\nhello\r\n");
    }
    both.answers(b"0\r\n\r\n");
    let are_over =
        |scrape: &Scrape| (counted(scrape, "GET", "200"), in_flight(scrape)) == (2.0, 0.0);
    stage.observer.until(are_over).expect("both");
    let has_all = |scrape: &Scrape| scrape.sum(RESPONSE_BYTES, &[]) == 5.0 + 105.0;
    stage.observer.until(has_all).expect("bytes");
    stage.observer.stop().expect("stop");
}

/// A request with a body, sent before the answers to those in front of it: none can be told apart
/// from there on, and each is counted as lost.
#[test]
fn what_cannot_be_told_apart_is_counted_to_the_connection_s_end() {
    const MORE: usize = 100;
    let scrape = talk("opaque", 18_242, 0, 0, |both| {
        both.asks(
            &[
                GET,
                GET,
                b"POST /api/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            ]
            .concat(),
        );
        for _ in 0..3 {
            both.answers(HELLO);
        }
        both.turns(MORE);
    });
    let lost = [("pipelined_opaque".to_owned(), (3 + MORE) as f64)];
    assert_eq!(scrape.lost(), lost);
}

/// What is said behind it is not HTTP, whatever it begins like.
#[test]
fn an_upgraded_connection_is_a_stream() {
    let asked = b"GET /api/x HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n\r\n";
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    for (port, cut) in (18_243..).zip([0, 1, 8, 40]) {
        let scrape = talk("socket", port, 1, 1, |both| {
            let (front, back) = asked.split_at(cut);
            both.asks(front);
            both.turn(back, answer);
            both.asks(b"\x81\x85abcdhello");
            both.turns(3);
        });
        assert_eq!(counted(&scrape, "GET", "101"), 1.0, "{cut}");
        assert_eq!(scrape.lost(), [], "{cut}");
    }
}

/// What is said in a tunnel is not ours, in a connection's first turns or later.
#[test]
fn a_tunnel_is_a_stream() {
    for (port, turns) in (18_247..).zip([0, TURNS]) {
        let scrape = talk("tunnel", port, turns + 1, 1, |both| {
            both.turns(turns);
            let asked = b"CONNECT host:80 HTTP/1.1\r\nHost: host:80\r\n\r\n";
            both.turn(asked, b"HTTP/1.1 200 OK\r\n\r\n");
            both.turns(3);
        });
        assert_eq!(counted(&scrape, "GET", "200"), turns as f64);
        assert_eq!(scrape.lost(), []);
    }
}

#[test]
fn a_body_that_begins_like_a_request_is_a_body() {
    const POST: &[u8] =
        b"POST /api/x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 35\r\n\r\n";
    let scrape = talk("body", 18_249, 2 * 6, 0, |both| {
        for _ in 0..2 {
            both.turn(POST, b"HTTP/1.1 100 Continue\r\n\r\n");
            both.turn(GET, HELLO);
            both.turns(5);
        }
    });
    assert_eq!(GET.len(), 35);
    assert_eq!(counted(&scrape, "POST", "200"), 2.0);
    assert_eq!(counted(&scrape, "GET", "200"), 10.0);
    assert_eq!(scrape.lost(), []);
}

/// Servers pass over it (RFC 9112 2.2).
#[test]
fn an_empty_line_behind_a_request_is_nothing() {
    let scrape = talk("line", 18_250, 6, 0, |both| {
        both.turn(&[GET, b"\r\n"].concat(), HELLO);
        both.turns(5);
    });
    assert_eq!(counted(&scrape, "GET", "200"), 6.0);
    assert_eq!(scrape.lost(), []);
}

/// A client sends what it likes, as slowly as it likes; what of it reaches user space is bounded.
#[test]
fn a_head_of_many_segments_is_few_events() {
    const SEGMENTS: usize = 12_000;
    let fronts = ["GET /api/x HTTP/1.1\r\nX: ", "POST /api/x HTTP/1.1\r\nX: "];
    for (port, asked) in (18_251..).zip(fronts) {
        let scrape = talk("pieces", port, 1, 0, |both| {
            both.asks(asked.as_bytes());
            for _ in 0..SEGMENTS {
                both.asks(b"x");
            }
            both.turn(b"\r\n\r\n", HELLO);
        });
        let events = scrape.sum("pxe_observer_events_total", &[("kind", "request_more")]);
        assert!(events <= 100.0, "{events}");
        assert_eq!(scrape.lost(), []);
        let kind = [("kind", "request_head_truncated")];
        assert_eq!(scrape.sum("pxe_observer_decode_errors_total", &kind), 1.0);
    }
}
