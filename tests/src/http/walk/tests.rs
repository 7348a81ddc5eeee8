use super::{
    script::{
        Row::{self, *},
        connections,
    },
    walk,
};

const GET: Row = C("GET /a HTTP/1.1\r\n\r\n");
const NEXT: Row = C("GET /b HTTP/1.1\r\n\r\n");
/// 38 bytes and 5.
const FIVE: Row = S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// 41 bytes, and 1000 to come.
const LONG: Row = S("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
/// 47 bytes.
const CHUNKS: Row = S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
/// 19 bytes.
const CLOSE: Row = S("HTTP/1.0 200 OK\r\n\r\n");

/// What the exchanges of a table are.
fn check(rows: &[Row], expected: &[&str]) {
    let connections = connections(rows);
    let walked = connections
        .iter()
        .map(|connection| walk(connection).expect("heads"));
    let said: Vec<String> = walked
        .flat_map(|walked| walked.exchanges)
        .map(|exchange| exchange.to_string())
        .collect();
    assert_eq!(said, expected, "{rows:?}");
}

#[test]
fn each_request_on_a_connection_has_its_answer() {
    check(
        &[
            Open,
            GET,
            FIVE,
            Ack,
            NEXT,
            LONG,
            Bulk(1000),
            Ack,
            GET,
            FIVE,
            Ack,
        ],
        &[
            "1 GET /a 200 bytes=43 complete",
            "2 GET /b 200 bytes=1041 complete",
            "3 GET /a 200 bytes=43 complete",
        ],
    );
}

#[test]
fn a_response_is_complete_when_it_is_acknowledged() {
    let check = |rows: &[Row], expected| {
        check(
            &[&[Open, GET, LONG, Bulk(1000)], rows].concat(),
            &[expected],
        );
    };
    check(&[], "1 GET /a 200 bytes=1041 in flight");
    check(&[AckBut(1)], "1 GET /a 200 bytes=1041 in flight");
    check(&[Ack], "1 GET /a 200 bytes=1041 complete");
    // GRUB and UEFI reset behind the last byte.
    check(&[ClientResetAck], "1 GET /a 200 bytes=1041 complete");
    check(&[Ack, ClientReset], "1 GET /a 200 bytes=1041 complete");
    check(
        &[AckBut(1), ClientReset],
        "1 GET /a 200 bytes=1041 aborted by client",
    );
    // Behind the whole response the server's FIN cuts nothing; its reset does.
    check(
        &[ServerFin, ClientReset],
        "1 GET /a 200 bytes=1041 aborted by client",
    );
    check(&[ServerFin], "1 GET /a 200 bytes=1041 in flight");
    check(
        &[ServerReset, ClientReset],
        "1 GET /a 200 bytes=1041 aborted by server",
    );
}

#[test]
fn who_closes_first_has_cut_it_short() {
    let check = |rows: &[Row], expected| {
        check(
            &[&[Open, GET, LONG, Bulk(500), Ack], rows].concat(),
            &[expected],
        );
    };
    check(&[], "1 GET /a 200 bytes=541 in flight");
    check(&[ClientReset], "1 GET /a 200 bytes=541 aborted by client");
    check(
        &[ClientFin, ServerReset],
        "1 GET /a 200 bytes=541 aborted by client",
    );
    check(
        &[ClientFin, Bulk(200), ClientReset],
        "1 GET /a 200 bytes=741 aborted by client",
    );
    check(
        &[ServerFin, ClientFin],
        "1 GET /a 200 bytes=541 aborted by server",
    );
    check(&[ServerReset], "1 GET /a 200 bytes=541 aborted by server");
}

#[test]
fn who_is_not_answered_has_no_status() {
    let check = |rows: &[Row], expected| check(&[&[Open, GET], rows].concat(), &[expected]);
    check(&[], "1 GET /a none bytes=0 in flight");
    check(
        &[ClientFin, ServerFin],
        "1 GET /a none bytes=0 aborted by client",
    );
    check(&[ClientReset], "1 GET /a none bytes=0 aborted by client");
    check(&[ServerFin], "1 GET /a none bytes=0 aborted by server");
    check(
        &[S("HTTP/1.1 20"), ServerFin],
        "1 GET /a none bytes=11 aborted by server",
    );
    check(
        &[S("HTTP/1.1 200 OK\r\nA"), ServerFin],
        "1 GET /a 200 bytes=18 aborted by server",
    );
    check(
        &[S("nonsense"), Ack, ServerFin],
        "1 GET /a none bytes=8 aborted by server",
    );
}

#[test]
fn who_is_heard_no_more_has_timed_out() {
    let begun = [Open, GET, LONG, Bulk(500)];
    let check = |rows: &[Row], expected: &[&str]| check(&[&begun, rows].concat(), expected);
    check(&[Later(119)], &["1 GET /a 200 bytes=541 in flight"]);
    check(
        &[Later(121)],
        &["1 GET /a 200 bytes=541 aborted by timeout"],
    );
    check(
        &[ClientReset, Later(121)],
        &["1 GET /a 200 bytes=541 aborted by client"],
    );
    // A server that has nothing to repeat may go on at any time.
    check(&[Ack, Later(121)], &["1 GET /a 200 bytes=541 in flight"]);
    check(
        &[Ack, Open, GET, FIVE, Ack],
        &[
            "1 GET /a 200 bytes=541 aborted by timeout",
            "1 GET /a 200 bytes=43 complete",
        ],
    );
}

#[test]
fn who_closes_his_half_may_read_on() {
    check(
        &[Open, GET, ClientFin, LONG, Bulk(1000), ServerFin, Ack],
        &["1 GET /a 200 bytes=1041 complete"],
    );
    check(
        &[Open, GET, ClientFin, CLOSE, Bulk(700), ServerFin, Ack],
        &["1 GET /a 200 bytes=719 complete"],
    );
}

#[test]
fn without_a_length_a_body_ends_with_the_connection() {
    let begun = [Open, GET, CLOSE, Bulk(700)];
    let check = |rows: &[Row], expected| check(&[&begun, rows].concat(), &[expected]);
    check(&[Ack], "1 GET /a 200 bytes=719 in flight");
    check(&[ServerFin, Ack], "1 GET /a 200 bytes=719 complete");
    check(
        &[ServerFin, ClientReset],
        "1 GET /a 200 bytes=719 aborted by client",
    );
    check(
        &[Ack, ServerReset],
        "1 GET /a 200 bytes=719 aborted by server",
    );
    check(
        &[Ack, ClientFin, ServerReset],
        "1 GET /a 200 bytes=719 aborted by client",
    );
}

#[test]
fn some_responses_have_no_body() {
    let check = |request, response, expected: &str| {
        let expected = [expected, "2 GET /b 200 bytes=43 complete"];
        check(&[Open, request, response, Ack, NEXT, FIVE, Ack], &expected);
    };
    let head = C("HEAD /a HTTP/1.1\r\n\r\n");
    check(head, LONG, "1 HEAD /a 200 bytes=41 complete");
    check(head, CHUNKS, "1 HEAD /a 200 bytes=47 complete");
    let not_modified = S("HTTP/1.1 304 X\r\nContent-Length: 1000\r\n\r\n");
    check(GET, not_modified, "1 GET /a 304 bytes=40 complete");
    check(
        GET,
        S("HTTP/1.1 204 X\r\n\r\n"),
        "1 GET /a 204 bytes=18 complete",
    );
}

#[test]
fn interim_responses_belong_to_the_final_one() {
    let expecting = C("POST /a HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    let interim = S("HTTP/1.1 100 Continue\r\n\r\n");
    check(
        &[
            Open,
            expecting,
            interim,
            Ack,
            C("abc"),
            FIVE,
            Ack,
            NEXT,
            FIVE,
            Ack,
        ],
        &[
            "1 POST /a 200 bytes=68 complete",
            "2 GET /b 200 bytes=43 complete",
        ],
    );
    check(
        &[Open, expecting, interim, Ack, ServerFin],
        &["1 POST /a none bytes=25 aborted by server"],
    );
}

#[test]
fn chunks_are_read_where_they_are_kept() {
    let check = |rows: &[Row], expected| {
        check(&[&[Open, GET, CHUNKS], rows].concat(), &[expected]);
    };
    let all = S("3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n");
    check(&[all, Ack], "1 GET /a 200 bytes=85 complete");
    check(
        &[S("3\r\nabc\r\n0\r"), S("\n\r\n"), Ack],
        "1 GET /a 200 bytes=60 complete",
    );
    check(
        &[S("3\r\nabc\r\n0\r\n"), Ack, ServerFin],
        "1 GET /a 200 bytes=58 aborted by server",
    );
    check(&[S("3\r\nab"), Ack], "1 GET /a 200 bytes=52 in flight");
    // Of chunks only their sizes are needed.
    let sized = [S("3E8\r\n"), Bulk(1000), S("\r\n0\r\n\r\n"), Ack];
    check(&sized, "1 GET /a 200 bytes=1059 complete");
}

#[test]
fn chunks_that_were_cut_end_with_what_follows() {
    let begun = [Open, GET, CHUNKS, Bulk(700)];
    let check = |rows: &[Row], expected: &[&str]| check(&[&begun, rows].concat(), expected);
    check(&[Ack], &["1 GET /a 200 bytes=747 in flight"]);
    check(&[Ack, ServerFin], &["1 GET /a 200 bytes=747 complete"]);
    check(
        &[Ack, ClientFin, ServerFin],
        &["1 GET /a 200 bytes=747 complete"],
    );
    check(
        &[ClientReset],
        &["1 GET /a 200 bytes=747 aborted by client"],
    );
    check(
        &[Ack, NEXT, FIVE, Ack],
        &[
            "1 GET /a 200 bytes=747 complete",
            "2 GET /b 200 bytes=43 complete",
        ],
    );
    // Asked before the end: the answer begins where a segment does.
    check(
        &[AckBut(600), NEXT, FIVE, Ack],
        &[
            "1 GET /a 200 bytes=747 complete pipelined",
            "2 GET /b 200 bytes=43 complete pipelined",
        ],
    );
}

#[test]
fn pipelined_answers_are_told_apart_within_segments() {
    let two = C("GET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.1\r\n\r\n");
    let answers = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\
                   HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n\
                   HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    check(
        &[Open, two, GET, S(&answers[..50]), S(&answers[50..]), Ack],
        &[
            "1 GET /a 200 bytes=43 complete pipelined",
            "2 HEAD /b 404 bytes=38 complete pipelined",
            "3 GET /a 200 bytes=40 complete pipelined",
        ],
    );
    // Never served.
    check(
        &[Open, two, FIVE, ServerFin, Ack],
        &[
            "1 GET /a 200 bytes=43 complete pipelined",
            "2 HEAD /b none bytes=0 aborted by server pipelined",
        ],
    );
    // The last byte was under way when the client asked again.
    check(
        &[Open, GET, FIVE, AckBut(1), NEXT, FIVE, Ack],
        &[
            "1 GET /a 200 bytes=43 complete pipelined",
            "2 GET /b 200 bytes=43 complete pipelined",
        ],
    );
}

#[test]
fn requests_are_split_anywhere_and_have_bodies() {
    check(
        &[
            Open,
            C("PO"),
            C("ST /a HTTP/1.1\r\nContent-Len"),
            C("gth: 19\r\n\r"),
            C("\n"),
            NEXT,
            FIVE,
            Ack,
        ],
        &["1 POST /a 200 bytes=43 complete"],
    );
    let chunked = C("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    check(
        &[
            Open,
            chunked,
            C("3\r\nGET\r\n0\r\n\r\n"),
            FIVE,
            Ack,
            C("\r\n"),
            NEXT,
            FIVE,
            Ack,
        ],
        &[
            "1 POST /a 200 bytes=43 complete",
            "2 GET /b 200 bytes=43 complete",
        ],
    );
    // Its line is whole, its head never.
    check(
        &[
            Open,
            C("GET /a HTTP/1.1\r\nHo"),
            S("HTTP/1.1 408 X\r\nContent-Length: 0\r\n\r\n"),
            Ack,
        ],
        &["1 GET /a 408 bytes=37 complete"],
    );
    check(&[Open, C("GET /a HT"), ClientFin], &[]);
}

#[test]
fn what_comes_again_or_changes_places_is_counted_once() {
    check(
        &[
            Open,
            GET,
            Again(1),
            LONG,
            Bulk(400),
            Again(1),
            Bulk(600),
            Again(2),
            Swap,
            Ack,
            NEXT,
            Again(1),
            FIVE,
            Ack,
        ],
        &[
            "1 GET /a 200 bytes=1041 complete",
            "2 GET /b 200 bytes=43 complete",
        ],
    );
    check(
        &[
            Open,
            C("GET /a "),
            C("HTTP/1.1\r\n\r\n"),
            Swap,
            S("HTTP/1.1 200 OK\r\nContent-Len"),
            S("gth: 2\r\n\r\nok"),
            Swap,
            Ack,
        ],
        &["1 GET /a 200 bytes=40 complete"],
    );
}

#[test]
fn a_request_may_come_with_the_syn() {
    check(
        &[
            OpenWith("GET /a HTTP/1.1\r\n\r\n"),
            FIVE,
            Ack,
            NEXT,
            FIVE,
            Ack,
        ],
        &[
            "1 GET /a 200 bytes=43 complete",
            "2 GET /b 200 bytes=43 complete",
        ],
    );
}

#[test]
fn segments_that_come_again_or_late_are_noticed() {
    let check = |rows: &[Row], is_in_order| {
        assert_eq!(connections(rows)[0].is_in_order, is_in_order, "{rows:?}");
    };
    check(&[Open, GET, LONG, Bulk(1000), Ack, Again(1), NEXT], true);
    check(&[Open, GET, LONG, Lost(1000), Ack, NEXT, FIVE], true);
    check(&[Open, GET, Again(1)], false);
    check(&[Open, GET, LONG, Bulk(1000), Swap], false);
}

#[test]
fn who_asks_behind_a_fin_is_not_answered() {
    check(
        &[Open, GET, FIVE, ServerFin, Ack, NEXT, ServerReset],
        &[
            "1 GET /a 200 bytes=43 complete",
            "2 GET /b none bytes=0 aborted by server",
        ],
    );
}

#[test]
fn segments_may_be_left_out() {
    check(
        &[Open, GET, LONG, Lost(1000), Ack, NEXT, FIVE, ClientFin],
        &[
            "1 GET /a 200 bytes=1041 complete",
            "2 GET /b 200 bytes=43 aborted by client",
        ],
    );
}

#[test]
fn responses_are_longer_than_sequence_numbers() {
    let head = S("HTTP/1.1 200 OK\r\nContent-Length: 6442450944\r\n\r\n");
    let gibibyte = [Bulk(1 << 30), Ack];
    check(
        &[
            &[Open, GET, head],
            gibibyte.repeat(6).as_slice(),
            &[NEXT, FIVE, Ack],
        ]
        .concat(),
        &[
            "1 GET /a 200 bytes=6442450991 complete",
            "2 GET /b 200 bytes=43 complete",
        ],
    );
}

#[test]
fn a_connection_may_be_joined_midway() {
    // Amid a response, and before its first request is answered.
    check(
        &[
            Bulk(400),
            S("HTTP/1.1 200 OK"),
            Ack,
            C("rest of a body"),
            GET,
            FIVE,
            Ack,
            NEXT,
            FIVE,
            Ack,
        ],
        &[
            "1 GET /a 200 bytes=43 complete",
            "2 GET /b 200 bytes=43 complete",
        ],
    );
    check(
        &[Bulk(400), GET, Bulk(200), FIVE, Ack],
        &["1 GET /a 200 bytes=43 complete"],
    );
}

#[test]
fn behind_an_upgrade_is_no_http() {
    let upgrade = S("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
    check(
        &[Open, GET, upgrade, Ack, NEXT, S("binary"), Ack, ServerFin],
        &["1 GET /a 101 bytes=54 complete"],
    );
    let connect = C("CONNECT a:1 HTTP/1.1\r\n\r\n");
    check(
        &[Open, connect, CLOSE, Ack, NEXT, S("binary"), Ack],
        &["1 CONNECT a:1 200 bytes=25 in flight"],
    );
    check(&[Open, C("\u{16}\u{3}\u{1}\n"), S("\u{15}")], &[]);
}

#[test]
fn what_a_server_sends_unasked_belongs_to_the_answer_before() {
    let head = C("HEAD /a HTTP/1.1\r\n\r\n");
    check(
        &[Open, head, FIVE, Ack, NEXT, FIVE, Ack],
        &[
            "1 HEAD /a 200 bytes=43 complete",
            "2 GET /b 200 bytes=43 complete",
        ],
    );
}

#[test]
fn a_capture_without_a_head_is_refused() {
    for rows in [
        &[Open, GET, Bulk(43), Ack][..],
        &[Open, GET, FIVE, Ack, NEXT, Lost(43), Ack],
    ] {
        let connections = connections(rows);
        let refused = walk(&connections[0]).err().expect("a head is missing");
        assert_eq!(refused.to_string(), "the capture lacks bytes of a head");
    }
}
