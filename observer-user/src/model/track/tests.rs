//! The tracker against a model of the kernel side: a connection that sends and answers.

use observer_common::{
    conn::Conn,
    event::ADOPTED,
    flow::{FLAG_FIN, FLAG_RST, Flow},
};
use proptest::prelude::*;

use super::{wire::Wire, *};
use crate::model::fact::Outcome;

const GET: &str = "GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nHost: a\r\n\r\n";
const OK5: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

#[test]
fn a_request_is_in_flight_until_its_last_byte() {
    let mut wire = Wire::new();
    wire.ask(GET);
    assert_eq!(wire.in_flight(), 1);
    wire.answer(OK5);
    assert_eq!((wire.in_flight(), wire.ended().len()), (1, 0));
    wire.body(4).look();
    assert_eq!((wire.in_flight(), wire.ended().len()), (1, 0));
    wire.body(1).look();
    assert_eq!(wire.in_flight(), 0);
    assert_eq!(wire.ended(), [(Some(200), 3, Outcome::Complete)]);
}

#[test]
fn an_answer_in_one_segment_ends_with_its_event() {
    let mut wire = Wire::new();
    wire.ask(GET).answer(&format!("{OK5}hello"));
    assert_eq!(wire.ended(), [(Some(200), 1, Outcome::Complete)]);
}

#[test]
fn keep_alive_ends_each_exchange_once() {
    let mut wire = Wire::new();
    for _ in 0..3 {
        wire.ask(GET).answer(OK5).body(5);
    }
    wire.close(FLAG_FIN, FLAG_FIN);
    assert_eq!(wire.ended(), [(Some(200), 2, Outcome::Complete); 3]);
    assert_eq!((wire.in_flight(), wire.tracker.connections()), (0, 0));
}

#[test]
fn heads_may_arrive_in_pieces() {
    let mut wire = Wire::new();
    wire.ask("GET /boot/x HT").ask("TP/1.1\r\nHost: a\r\n");
    assert_eq!(wire.in_flight(), 1, "the request line is complete");
    wire.ask("\r\n")
        .answer("HTTP/1.1 404 Not")
        .answer(" Found\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(wire.ended(), [(Some(404), 4, Outcome::Complete)]);
}

#[test]
fn a_head_answer_has_no_body() {
    let mut wire = Wire::new();
    wire.ask("HEAD /boot/ipxe.efi HTTP/1.1\r\n\r\n").answer(OK5);
    assert_eq!(wire.ended(), [(Some(200), 1, Outcome::Complete)]);
}

#[test]
fn an_interim_answer_is_not_the_answer() {
    let mut wire = Wire::new();
    wire.ask("POST /api/x HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    wire.answer(&format!("HTTP/1.1 100 Continue\r\n\r\n{OK5}hello"));
    assert_eq!(wire.ended(), [(Some(200), 1, Outcome::Complete)]);
}

#[test]
fn an_interim_answer_may_come_alone() {
    let mut wire = Wire::new();
    wire.ask("POST /api/x HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    wire.answer("HTTP/1.1 100 Continue\r\n\r\n")
        .answer(OK5)
        .body(5)
        .look();
    assert_eq!(wire.ended(), [(Some(200), 3, Outcome::Complete)]);
}

/// Whichever event a full ring loses: its exchange is not in the numbers, the next one is.
#[test]
fn a_lost_event_costs_its_exchange_and_no_other() {
    for lost in 0..3 {
        for head in [OK5, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] {
            let mut wire = Wire::new();
            wire.ask(GET).answer(head).body(5);
            wire.full = lost == 0;
            wire.ask(GET);
            wire.full = lost == 1;
            wire.answer(head).body(5);
            wire.full = false;
            wire.ask(GET).answer(OK5).body(5);
            wire.close(FLAG_FIN, FLAG_FIN);
            let ended = wire.ended().len();
            assert!(
                ended == if lost == 2 { 3 } else { 2 } || (lost == 0 && ended == 1),
                "{lost} {head:?}: {ended}"
            );
            assert!(
                wire.lost().iter().all(|loss| *loss == Loss::Swept),
                "{lost}"
            );
            assert!(
                wire.ended()
                    .iter()
                    .all(|end| *end == (Some(200), 2, Outcome::Complete)),
                "{:?}",
                wire.ended()
            );
            assert_eq!(wire.in_flight(), 0);
        }
    }
}

#[test]
fn an_adoption_that_was_not_told_is_seen_by_the_answer() {
    let mut wire = Wire::new();
    wire.cookie = 0;
    wire.ask(GET);
    wire.cookie = 7;
    wire.answer(&format!("{OK5}hello"));
    assert_eq!(wire.ended(), [(Some(200), 1, Outcome::Complete)]);
}

#[test]
fn a_status_line_counts_though_its_head_never_ended() {
    let mut wire = Wire::new();
    wire.ask(GET)
        .answer("HTTP/1.1 503 Busy\r\nServer: ")
        .close(FLAG_RST, 0);
    assert_eq!(wire.ended(), [(Some(503), 1, Outcome::AbortedByClient)]);
}

#[test]
fn a_closed_connection_ends_it_where_the_end_of_sockets_is_not_told() {
    let mut wire = Wire::new();
    wire.ask(GET);
    wire.conn.request.flags |= FLAG_RST;
    wire.now += 5_000_000;
    wire.look();
    assert_eq!(wire.ended(), [(None, 5_000, Outcome::AbortedByClient)]);
}

#[test]
fn a_look_does_not_overtake_the_ring() {
    let mut wire = Wire::new();
    wire.ask(GET);
    wire.full = true;
    wire.answer(OK5).body(5);
    wire.conn.request.flags |= FLAG_FIN;
    wire.conn.response.flags |= FLAG_FIN;
    wire.look();
    assert_eq!(
        (wire.ended().len(), wire.in_flight()),
        (0, 1),
        "its answer is still in the ring"
    );
}

#[test]
fn without_a_length_it_ends_with_the_servers_side() {
    let mut wire = Wire::new();
    wire.ask(GET)
        .answer("HTTP/1.0 200 OK\r\n\r\n")
        .body(10)
        .look();
    assert_eq!(wire.in_flight(), 1);
    wire.conn.response.flags |= FLAG_FIN;
    wire.look();
    assert_eq!(wire.ended(), [(Some(200), 2, Outcome::Complete)]);
}

#[test]
fn what_is_cut_short_says_by_whom() {
    for (client, server, outcome) in [
        (FLAG_RST, 0, Outcome::AbortedByClient),
        (FLAG_FIN, FLAG_RST, Outcome::AbortedByClient),
        (0, FLAG_FIN, Outcome::AbortedByServer),
        (0, FLAG_RST, Outcome::AbortedByServer),
    ] {
        let mut wire = Wire::new();
        wire.ask(GET).answer(OK5).body(2).close(client, server);
        assert_eq!(wire.ended(), [(Some(200), 2, outcome)], "{client} {server}");
        let mut silent = Wire::new();
        silent.ask(GET).close(client, server);
        assert_eq!(silent.ended(), [(None, 1, outcome)], "{client} {server}");
    }
}

#[test]
fn a_reset_after_the_last_byte_is_no_abort() {
    let mut wire = Wire::new();
    wire.ask(GET).answer(OK5).body(5).close(FLAG_RST, 0);
    assert_eq!(wire.ended(), [(Some(200), 2, Outcome::Complete)]);
}

#[test]
fn early_data_is_in_flight_before_its_socket_is_known() {
    let mut wire = Wire::new();
    wire.cookie = 0;
    wire.ask(GET);
    assert_eq!(wire.in_flight(), 1);
    wire.cookie = 7;
    wire.tell(ADOPTED, 0, &[]);
    assert_eq!(wire.in_flight(), 1);
    wire.answer(&format!("{OK5}hello"));
    assert_eq!(wire.ended(), [(Some(200), 1, Outcome::Complete)]);
}

#[test]
fn early_data_that_nobody_claims_is_swept() {
    let mut wire = Wire::new();
    wire.cookie = 0;
    wire.ask(GET);
    let mut facts = Vec::new();
    wire.tracker
        .sweep(wire.now + EARLY_DATA_NS - 1, &HashSet::new(), &mut facts);
    assert_eq!((facts.len(), wire.in_flight()), (0, 1));
    wire.tracker
        .sweep(wire.now + EARLY_DATA_NS, &HashSet::new(), &mut facts);
    assert_eq!(facts, [Fact::Lost(Loss::Swept)]);
    assert_eq!((wire.in_flight(), wire.tracker.connections()), (0, 0));
}

#[test]
fn a_client_that_gives_up_in_the_accept_queue_aborted() {
    let mut wire = Wire::new();
    wire.cookie = 0;
    wire.ask(GET).close(FLAG_RST, 0);
    assert_eq!(wire.ended(), [(None, 1, Outcome::AbortedByClient)]);
    assert_eq!((wire.in_flight(), wire.tracker.connections()), (0, 0));
}

#[test]
fn early_data_of_another_connection_is_displaced() {
    let mut wire = Wire::new();
    wire.cookie = 0;
    wire.ask(GET);
    // The kernel side starts again, by the same addresses and ports.
    wire.conn.request = Flow::default();
    wire.ask(GET);
    wire.cookie = 7;
    wire.tell(ADOPTED, 0, &[]);
    wire.answer(&format!("{OK5}hello"))
        .ask(GET)
        .answer(&format!("{OK5}hello"));
    assert_eq!(
        (wire.ended().len(), wire.lost(), wire.in_flight()),
        (2, vec![], 0)
    );
    // Or says that nobody will claim it.
    wire.cookie = 0;
    wire.conn = Conn::default();
    wire.ask(GET).close(0, 0);
    assert_eq!(
        (wire.ended().len(), wire.lost(), wire.in_flight()),
        (2, vec![], 0)
    );
}

#[test]
fn a_connection_whose_end_was_lost_is_swept() {
    let mut wire = Wire::new();
    wire.ask(GET).answer(OK5);
    let mut facts = Vec::new();
    wire.tracker.sweep(
        wire.now + exchange::OVERDUE_NS,
        &HashSet::from([wire.cookie]),
        &mut facts,
    );
    assert_eq!(facts, [Fact::Lost(Loss::Swept)]);
    assert_eq!((wire.in_flight(), wire.tracker.connections()), (0, 0));
}

#[test]
fn a_reset_ends_it_before_the_server_lets_go() {
    let mut wire = Wire::new();
    wire.ask(GET).answer(OK5).body(2);
    wire.conn.request.flags |= FLAG_RST;
    wire.look();
    assert_eq!(wire.ended(), [(Some(200), 2, Outcome::AbortedByClient)]);
    wire.close(0, 0);
    assert_eq!(wire.ended().len(), 1);
}

#[test]
fn pipelined_requests_are_counted_as_lost_not_guessed() {
    let mut wire = Wire::new();
    wire.ask(&format!("{GET}{GET}"));
    assert_eq!(
        (wire.lost(), wire.in_flight()),
        (vec![Loss::PipelinedOpaque], 0)
    );
    let mut wire = Wire::new();
    wire.ask(GET).answer(OK5).body(2).ask(GET);
    assert_eq!(wire.lost(), [Loss::PipelinedOpaque; 2]);
    assert_eq!((wire.ended().len(), wire.in_flight()), (0, 0));
    // The second in a segment of its own, of which no event tells.
    let mut wire = Wire::new();
    wire.ask(GET);
    let now = wire.now;
    Wire::count(&mut wire.conn.request, GET.len(), now);
    wire.answer(OK5);
    assert_eq!(
        (wire.lost(), wire.in_flight()),
        (vec![Loss::PipelinedOpaque], 0)
    );
}

#[test]
fn a_head_that_was_not_handed_over_whole_still_counts() {
    let mut wire = Wire::new();
    wire.ask("GET /boot/x HTTP/1.1\r\nHost: ")
        .answer(&format!("{OK5}hello"));
    assert_eq!(wire.lost(), [Loss::HeadTruncated]);
    assert_eq!(wire.ended(), [(Some(200), 1, Outcome::Complete)]);
}

#[test]
fn a_head_beyond_the_bound_still_counts() {
    let mut wire = Wire::new();
    let long = format!(
        "GET /boot/x HTTP/1.1\r\nX: {}",
        "a".repeat(limits::HEAD_MAX as usize)
    );
    wire.ask(&long).answer(&format!("{OK5}hello"));
    assert_eq!(wire.lost(), [Loss::HeadTruncated]);
    assert_eq!(wire.ended(), [(Some(200), 1, Outcome::Complete)]);
}

#[test]
fn what_is_no_http_is_no_request() {
    let mut wire = Wire::new();
    wire.ask("GET \x01\x02\r\n\r\n");
    assert_eq!(
        (wire.lost(), wire.in_flight(), wire.ended().len()),
        (vec![Loss::Undecodable], 0, 0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Whatever the machines are called: labels do not follow the traffic.
    #[test]
    fn a_thousand_boot_paths_are_one_endpoint(
        machines in proptest::collection::hash_set(any::<[u8; 6]>(), 1_000),
    ) {
        let mut wire = Wire::with(Classifier::dragonfly());
        for [a, b, c, d, e, f] in machines {
            let path = format!("/boot/{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
            wire.ask(&format!("GET {path} HTTP/1.1\r\n\r\n"));
            wire.answer(OK5).body(5);
        }
        wire.close(FLAG_FIN, FLAG_FIN);
        let endpoints: HashSet<usize> = wire.facts.iter().filter_map(ended_endpoint).collect();
        prop_assert_eq!((wire.ended().len(), endpoints.len()), (1_000, 1));
    }
}

fn ended_endpoint(fact: &Fact) -> Option<usize> {
    match fact {
        Fact::Ended { asked, .. } => Some(asked.class.endpoint.index()),
        Fact::Begun { .. } | Fact::Answered { .. } | Fact::Lost(_) => None,
    }
}
