//! An answer's length read in one go is what its framing says byte by byte, or is not read.

use observer_common::{
    flow::FLAG_LENGTH,
    frame::{Fed, Framer},
};
use programs::{Connection, Kernel};
use proptest::prelude::*;

const PORT: u16 = 80;

/// What the programs make of an answer: its length, if they read one.
fn read(method: &str, answer: &[u8]) -> Option<u64> {
    let mut kernel = Kernel::new(&[PORT], &[]);
    let mut connection = Connection::new(PORT, 0);
    let request = format!("{method} / HTTP/1.1\r\n\r\n");
    connection.ask(&mut kernel, 5, request.as_bytes());
    connection.answer(&mut kernel, 6, answer);
    let Some(conn) = kernel.conn(connection.socket.cookie) else {
        panic!("no entry");
    };
    let flow = conn.response;
    (flow.flags & FLAG_LENGTH != 0).then_some(flow.word)
}

/// The same byte by byte; `None` where it is not a length, or cannot be told.
fn framed(method: &str, answer: &[u8]) -> Option<u64> {
    let mut framer = Framer::default();
    for (at, byte) in answer.iter().enumerate() {
        let len = at as u64 + 1;
        match framer.feed(*byte, method == "HEAD") {
            Fed::More => {}
            Fed::End => return Some(len),
            Fed::Head if framer.is_upgrade() => return None,
            Fed::Head if framer.ends_with_connection() => return Some(u64::MAX),
            Fed::Head if framer.opaque() != 0 => return Some(len + framer.opaque()),
            Fed::Head | Fed::Interim | Fed::Broken => return None,
        }
    }
    None
}

fn field() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "Server: nginx/1.22.1",
        "Date: Sat, 21 Nov 2026 12:00:00 GMT",
        "Content-Type: text/plain",
        "content-encoding: gzip",
        "Content-Length: 12",
        "Content-Length: 12",
        "content-length: 734003200",
        "CONTENT-LENGTH: 0",
        "Content-Length:7",
        "Content-Length : 7",
        "Content-Length:  7",
        "Content-Length: 7 ",
        "Content-Length: 99999999999999",
        "Content-Length: 123456789012345",
        "Content-Length: +7",
        "Content-Length: ",
        "Content-Lengths: 7",
        "X-Content-Length: 7",
        "Transfer-Encoding: chunked",
        "transfer-encoding: gzip",
        "T: x",
        "C: x",
        "",
        " folded",
        "Content-\u{b}ength: 7",
    ]);
    prop_oneof![
        6 => known.prop_map(str::to_owned),
        1 => "[A-Za-z-]{1,20}: [ -~]{0,90}",
        1 => "[ -~]{0,20}",
    ]
}

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let status = prop::sample::select(vec![
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK",
        "HTTP/1.0 404 Not Found",
        "HTTP/1.1 204 No Content",
        "HTTP/1.1 304 Not Modified",
        "HTTP/1.1 100 Continue",
        "HTTP/1.1 101 Switching Protocols",
        "HTTP/1.1 2x0 OK",
        "HTTP/2.0 200 OK",
        "HTTP/1.1 200",
    ]);
    let end = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\r\n"]);
    let fields = prop::collection::vec((field(), end), 0..12);
    let body = prop::collection::vec(any::<u8>(), 0..40);
    (status, fields, "\r\n|\n|", body).prop_map(|(status, fields, blank, body)| {
        let mut text = format!("{status}\r\n");
        for (field, end) in fields {
            text.push_str(&field);
            text.push_str(end);
        }
        text.push_str(&blank);
        [text.as_bytes(), &body].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_length_is_what_the_framing_says(
        answer in answer(),
        method in prop::sample::select(vec!["GET", "HEAD", "POST"]),
        cut in any::<prop::sample::Index>(),
    ) {
        // What a segment has of it.
        let some = answer.get(..=cut.index(answer.len())).unwrap_or_default();
        for answer in [some, &answer] {
            if let Some(len) = read(method, answer) {
                prop_assert_eq!(Some(len), framed(method, answer));
            }
        }
    }
}

#[test]
fn ordinary_heads_are_read_in_one_go() {
    let fields = "Server: nginx\r\nContent-Type: a/b\r\n";
    for (status, framing, len) in [
        (
            "200 OK",
            "Content-Length: 1234\r\nETag: \"1234567890\"\r\n",
            1234,
        ),
        ("200 OK", "ETag: \"1234567890\"\r\n", u64::MAX),
        ("304 Not Modified", "Content-Length: 1234\r\n", 0),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\n{fields}{framing}\r\n");
        let expected = match len {
            u64::MAX => len,
            body => answer.len() as u64 + body,
        };
        assert_eq!(read("GET", answer.as_bytes()), Some(expected), "{answer}");
    }
}
