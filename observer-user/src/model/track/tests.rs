//! The tracker against a model of the kernel side: a connection that sends and answers.

use observer_common::{
    conn::{Conn, PROTOCOL_HTTP},
    event::{self as wire, ADOPTED},
    flow::{FLAG_FIN, FLAG_OPAQUE, FLAG_RST, Flow},
};
use proptest::prelude::*;

use super::{wire::Wire, *};
use crate::model::{
    fact::{Outcome, Side},
    unread::Unread,
};

const CLIENT: Outcome = Outcome::Aborted(Side::Client);
const SERVER: Outcome = Outcome::Aborted(Side::Server);

/// Why exchanges that had begun are not in the numbers.
fn dropped(facts: &[Fact]) -> Vec<Loss> {
    let loss = |fact: &Fact| match fact {
        Fact::Dropped { loss, .. } => Some(*loss),
        _ => None,
    };
    facts.iter().filter_map(loss).collect()
}

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
    assert_eq!(wire.ended(), [(Some(503), 1, CLIENT)]);
}

#[test]
fn a_closed_connection_ends_it_where_the_end_of_sockets_is_not_told() {
    let mut wire = Wire::new();
    wire.ask(GET);
    wire.conn.request.flags |= FLAG_RST;
    wire.now += 5_000_000;
    wire.look();
    assert_eq!(wire.ended(), [(None, 5_000, CLIENT)]);
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
        (FLAG_RST, 0, CLIENT),
        (FLAG_FIN, FLAG_RST, CLIENT),
        (0, FLAG_FIN, SERVER),
        (0, FLAG_RST, SERVER),
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
    assert_eq!(dropped(&facts), [Loss::Swept]);
    assert_eq!((wire.in_flight(), wire.tracker.connections()), (0, 0));
}

#[test]
fn a_client_that_gives_up_in_the_accept_queue_aborted() {
    let mut wire = Wire::new();
    wire.cookie = 0;
    wire.ask(GET).close(FLAG_RST, 0);
    assert_eq!(wire.ended(), [(None, 1, CLIENT)]);
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
    // Both are told, for they had begun.
    let displaced = |fact: &&Fact| matches!(fact, Fact::Displaced { .. });
    assert_eq!(wire.facts.iter().filter(displaced).count(), 2);
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
    assert_eq!(dropped(&facts), [Loss::Swept]);
    assert_eq!((wire.in_flight(), wire.tracker.connections()), (0, 0));
}

#[test]
fn a_reset_ends_it_before_the_server_lets_go() {
    let mut wire = Wire::new();
    wire.ask(GET).answer(OK5).body(2);
    wire.conn.request.flags |= FLAG_RST;
    wire.look();
    assert_eq!(wire.ended(), [(Some(200), 2, CLIENT)]);
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
    assert_eq!(wire.lost(), []);
    assert_eq!(wire.unread(), [Unread::RequestHeadTruncated]);
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
    assert_eq!(wire.lost(), []);
    assert_eq!(wire.unread(), [Unread::RequestHeadTruncated]);
    assert_eq!(wire.ended(), [(Some(200), 1, Outcome::Complete)]);
}

#[test]
fn a_lost_piece_of_the_first_line_is_a_lost_request() {
    for next in [false, true] {
        let mut wire = Wire::new();
        wire.ask("GET /boot/x HT");
        wire.full = true;
        wire.ask("TP/1.1\r\n\r\n");
        wire.full = false;
        wire.answer(&format!("{OK5}hello"));
        if next {
            wire.ask(GET).answer(&format!("{OK5}hello"));
        }
        wire.close(FLAG_FIN, FLAG_FIN);
        let ended = usize::from(next);
        assert_eq!(
            (wire.lost(), wire.ended().len()),
            (vec![Loss::Swept], ended)
        );
    }
}

#[test]
fn a_first_line_that_never_came_is_no_request() {
    let mut wire = Wire::new();
    wire.ask("GET /boot/x HT").close(0, FLAG_FIN);
    assert_eq!((wire.lost(), wire.ended()), (vec![], vec![]));
}

#[test]
fn a_lost_piece_of_an_answers_head_costs_no_other_exchange() {
    let mut wire = Wire::new();
    let (first, rest) = OK5.split_at(25);
    wire.ask(GET).answer(first);
    wire.full = true;
    wire.answer(rest).body(5);
    wire.full = false;
    wire.conn.response.head_done = 1;
    wire.ask(GET).answer(&format!("{OK5}hello"));
    assert_eq!((wire.lost(), wire.ended().len()), (vec![Loss::Swept], 1));
}

#[test]
fn what_is_no_http_is_no_request() {
    let mut wire = Wire::new();
    wire.ask("GET \x01\x02\r\n\r\n");
    assert_eq!(
        (wire.lost(), wire.in_flight(), wire.ended().len()),
        (vec![Loss::Undecodable], 0, 0)
    );
    assert_eq!(wire.unread(), [Unread::RequestHead]);
}

/// What is in `http_requests_total` is not lost as well.
#[test]
fn an_answer_that_is_no_http_still_counts() {
    let mut wire = Wire::new();
    wire.ask(GET).answer("SSH-2.0-OpenSSH\r\n");
    wire.close(FLAG_FIN, FLAG_FIN);
    let ended = wire.ended();
    assert_eq!((ended.len(), ended[0].0), (1, None));
    assert_eq!(wire.lost(), []);
    assert_eq!(wire.unread(), [Unread::ResponseHead]);
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn a_chunked_answer_ends_with_its_last_chunk() {
    for (rest, ends) in [
        ("0\r\n\r\n", true),
        ("5\r\nhello\r\n0\r\n\r\n", true),
        ("5\r\nhello\r\n", false),
        ("A\r\n", false),
    ] {
        for cut in 0..rest.len() {
            let mut wire = Wire::new();
            wire.ask(GET).answer(CHUNKED);
            wire.send(&rest[..cut]).look();
            wire.send(&rest[cut..]).look();
            assert_eq!(wire.in_flight(), u64::from(!ends), "{rest:?} cut at {cut}");
        }
    }
}

#[test]
fn a_chunked_answer_without_its_last_chunk_was_cut_short() {
    for (rest, outcome) in [
        ("5\r\nhel", SERVER),
        ("5\r\nhello\r\n0\r\n\r\n", Outcome::Complete),
        ("5\r\nhello\r\n0\r\nExpires: 0\r\n\r\n", Outcome::Complete),
    ] {
        let mut wire = Wire::new();
        wire.ask(GET).answer(CHUNKED).send(rest).acknowledge();
        wire.close(0, FLAG_FIN);
        let outcomes: Vec<Outcome> = wire.ended().iter().map(|(_, _, end)| *end).collect();
        assert_eq!(outcomes, [outcome], "{rest:?}");
    }
}

#[test]
fn bytes_move_while_a_transfer_lives_and_count_once() {
    let mut wire = Wire::new();
    wire.ask("POST /api/x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody");
    wire.answer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    wire.body(300).look();
    assert_eq!(wire.moved(), (4, 0), "nothing is acknowledged yet");
    wire.acknowledge().look();
    assert_eq!(wire.moved(), (4, 300));
    wire.body(700).look();
    assert_eq!((wire.moved(), wire.in_flight()), ((4, 300), 0));
    wire.acknowledge().look();
    assert_eq!((wire.moved(), wire.delivered()), ((4, 1000), (1, 0)));
    wire.look().close(FLAG_FIN, FLAG_FIN);
    assert_eq!((wire.moved(), wire.delivered()), ((4, 1000), (1, 0)));
}

#[test]
fn what_was_sent_and_never_acknowledged_was_cut_short_after_all() {
    let mut wire = Wire::new();
    wire.ask(GET).answer(OK5).acknowledge().body(5).look();
    wire.close(FLAG_RST, 0);
    assert_eq!((wire.moved(), wire.delivered()), ((0, 0), (0, 1)));
    assert_eq!(wire.ended().len(), 1);
}

#[test]
fn the_next_request_acknowledges_the_answer_before_it() {
    let mut wire = Wire::new();
    for asked in 0..3 {
        assert_eq!(wire.moved(), (0, 5 * u64::max(asked, 1) - 5));
        wire.ask(GET).answer(OK5).body(5).acknowledge();
    }
    wire.close(FLAG_FIN, FLAG_FIN);
    assert_eq!((wire.moved(), wire.delivered()), ((0, 15), (3, 0)));
}

#[test]
fn a_stream_leaves_the_requests_in_flight_at_its_head() {
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
                  Transfer-Encoding: chunked\r\n\r\n";
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    let tunnel = "HTTP/1.1 200 OK\r\n\r\n";
    let connect = "CONNECT a:443 HTTP/1.1\r\n\r\n";
    for (asked, head) in [(GET, events), (GET, upgrade), (connect, tunnel)] {
        let mut wire = Wire::new();
        wire.ask(asked).answer(head);
        let live = wire.tracker.live();
        assert_eq!(
            (wire.in_flight(), live.streams.iter().sum()),
            (0, 1),
            "{head}"
        );
        wire.body(5).acknowledge().look();
        assert_eq!(wire.moved(), (0, 5), "{head}");
        wire.close(FLAG_FIN, FLAG_RST);
        assert_eq!(wire.tracker.live(), Live::default(), "{head}");
        assert_eq!((wire.ended(), wire.streamed()), (vec![], 1), "{head}");
    }
}

/// As where the kernel has no hook for it.
#[test]
fn nobody_waits_where_it_is_not_told_who_takes_requests_up() {
    let mut wire = Wire::new();
    let steps = |wire: &Wire| {
        let rows = wire.tracker.rows(wire.now, 1).rows;
        let under_way = wire.tracker.under_way();
        [
            rows.iter().map(|row| row.step).collect::<Vec<_>>(),
            under_way.map(|one| one.step).collect(),
        ]
    };
    wire.ask(GET).look();
    assert_eq!(steps(&wire), [[Step::Waiting], [Step::Waiting]]);
    wire.tracker = wire.tracker.sees_pickup(false);
    assert_eq!(steps(&wire), [[Step::Handling], [Step::Handling]]);
    assert_eq!(wire.tracker.live().waiting.iter().sum::<u64>(), 0);
    assert_eq!(wire.tracker.live().in_flight.iter().sum::<u64>(), 1);
}

#[test]
fn it_waits_until_a_process_takes_it_up() {
    let mut wire = Wire::new();
    wire.ask(GET).look();
    assert_eq!(wire.tracker.live().waiting.iter().sum::<u64>(), 1);
    wire.now += 2_000_000;
    wire.conn.pickup.turn = 1;
    wire.conn.pickup.ns = wire.now;
    wire.look();
    assert_eq!(wire.tracker.live().waiting.iter().sum::<u64>(), 0);
    wire.answer(&format!("{OK5}hello"));
    let queued = wire.facts.iter().find_map(|fact| match fact {
        Fact::Ended { phases, .. } => phases.queue,
        _ => None,
    });
    assert_eq!(queued, Some(2_000_000));
}

#[test]
fn a_head_whose_parts_overtook_each_other_is_read_whole() {
    let mut wire = Wire::new();
    let (first, second) = GET.split_at(20);
    wire.tell(wire::REQUEST_AHEAD, 20, second.as_bytes());
    wire.ask(first);
    wire.answer(&format!("{OK5}hello"));
    assert_eq!(wire.ended(), [(Some(200), 1, Outcome::Complete)]);
    assert_eq!(wire.lost(), []);
}

#[test]
fn what_only_began_like_a_request_is_none() {
    let mut wire = Wire::new();
    wire.ask("GE");
    assert_eq!(wire.tracker.live().heads_incomplete, 1);
    wire.conn.protocol = observer_common::conn::PROTOCOL_OTHER;
    wire.look();
    assert_eq!(wire.tracker.live(), Live::default());
    assert_eq!((wire.facts.len(), wire.tracker.is_busy(7)), (0, false));
}

#[test]
fn pipelined_requests_are_told_apart() {
    let mut wire = Wire::new();
    wire.pipeline(3);
    assert_eq!(wire.in_flight(), 3);
    wire.answer_next(OK5).finish(5);
    assert_eq!((wire.in_flight(), wire.ended().len()), (2, 1));
    wire.pipeline(1);
    assert_eq!(wire.in_flight(), 3);
    wire.answer_next(CHUNKED).finish(100);
    wire.answer_next(OK5).finish(5).answer_next(OK5).finish(5);
    assert_eq!((wire.in_flight(), wire.ended().len()), (0, 4));
    wire.acknowledge().close(FLAG_FIN, FLAG_FIN);
    assert_eq!((wire.moved(), wire.delivered()), ((0, 115), (4, 0)));
    assert_eq!(wire.lost(), []);
}

#[test]
fn requests_behind_an_answer_that_closes_are_discarded() {
    let mut wire = Wire::new();
    wire.pipeline(3);
    wire.answer_next("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n");
    wire.finish(5).acknowledge().close(FLAG_FIN, FLAG_FIN);
    let discarded = |fact: &&Fact| matches!(fact, Fact::Discarded { .. });
    assert_eq!(wire.facts.iter().filter(discarded).count(), 2);
    assert_eq!((wire.ended().len(), wire.in_flight()), (1, 0));
}

#[test]
fn what_the_kernel_side_cannot_tell_apart_is_counted_one_by_one() {
    let mut wire = Wire::new();
    wire.pipeline(2);
    wire.conn.response.flags |= FLAG_OPAQUE;
    wire.look();
    wire.pipeline(2);
    assert_eq!(wire.lost(), [Loss::PipelinedOpaque; 4]);
    assert_eq!((wire.ended().len(), wire.in_flight()), (0, 0));
}

#[test]
fn what_an_answer_waits_for_is_told_while_it_is_sent() {
    const OK9: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    let mut wire = Wire::new();
    wire.ask(GET).answer(OK9).body(1);
    for told in [0, 0, 2, 4] {
        wire.read_clocks().body(1);
        assert_eq!(wire.limited(), [told, 0, 0]);
    }
    // Of nine microseconds: the last reading was asked for, and came too late.
    wire.body(4).look();
    assert_eq!(wire.limited(), [6, 6, 10]);
    // On the same connection only what lies between two readings.
    wire.ask(GET).answer(OK9);
    wire.read_clocks().body(1).read_clocks().body(1);
    wire.read_clocks().body(7).look();
    let [told, ended, transfer] = wire.limited();
    assert_eq!((told, ended), (8, 8));
    assert!(transfer > 14, "{transfer}");
}

#[test]
fn clocks_are_asked_for_in_turns() {
    let mut wire = Wire::new();
    for cookie in 1..=5 {
        wire.reopen();
        wire.cookie = cookie;
        wire.conn.protocol = PROTOCOL_HTTP;
        wire.ask(GET).answer(OK5);
    }
    let mut asked = || {
        let sending = wire.tracker.sending(2);
        sending
            .into_iter()
            .map(|(cookie, _)| cookie)
            .collect::<Vec<_>>()
    };
    for expected in [[1, 2], [3, 4], [5, 1], [2, 3]] {
        assert_eq!(asked(), expected);
    }
}

/// What happens on a connection, and to its events.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Ask,
    Pipeline,
    Answer,
    Body,
    Finish,
    Acknowledge,
    Look,
    ReadClocks,
    Lose,
    Find,
    Repeat,
    Swap,
    Close(u8, u8),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => Just(Happens::Ask),
        2 => Just(Happens::Pipeline),
        4 => Just(Happens::Answer),
        2 => Just(Happens::Body),
        4 => Just(Happens::Finish),
        2 => Just(Happens::Acknowledge),
        3 => Just(Happens::Look),
        3 => Just(Happens::ReadClocks),
        1 => Just(Happens::Lose),
        2 => Just(Happens::Find),
        1 => Just(Happens::Repeat),
        1 => Just(Happens::Swap),
        1 => (0u8..4, 0u8..4).prop_map(|(client, server)| Happens::Close(client, server)),
    ]
}

proptest! {
    /// Whatever happens to the connection and to its events: what began ended, or lives, or was
    /// counted as lost, each once.
    #[test]
    fn exchanges_are_conserved(story in proptest::collection::vec(happens(), 1..60)) {
        let mut wire = Wire::new();
        for happens in story {
            match happens {
                Happens::Ask => { wire.ask(GET); }
                Happens::Pipeline => { wire.pipeline(2); }
                Happens::Answer => { wire.answer_next(OK5); }
                Happens::Body => { wire.body(2); }
                Happens::Finish => { wire.finish(3); }
                Happens::Acknowledge => { wire.acknowledge(); }
                Happens::Look => { wire.look(); }
                Happens::ReadClocks => { wire.read_clocks(); }
                Happens::Lose => wire.full = true,
                Happens::Find => wire.full = false,
                Happens::Repeat => wire.repeat(),
                Happens::Swap => wire.swap_next = true,
                Happens::Close(client, server) => {
                    wire.close(client, server);
                    wire.reopen();
                }
            }
            let count = |is: fn(&Fact) -> bool| wire.facts.iter().filter(|fact| is(fact)).count();
            let begun = count(|fact| matches!(fact, Fact::Begun { .. }));
            let over = count(|fact| matches!(
                fact,
                Fact::Ended { .. } | Fact::Streaming { .. } | Fact::Dropped { .. } | Fact::Discarded { .. }
            ));
            let live = usize::try_from(wire.in_flight()).expect("small");
            prop_assert_eq!(begun, over + live, "{:?}", wire.facts);
            let ended = count(|fact| matches!(fact, Fact::Ended { .. }));
            let drained = count(|fact| matches!(fact, Fact::Delivered { .. } | Fact::Undelivered { .. }));
            prop_assert!(drained <= ended);
            let [told, sampled, transfer] = wire.limited();
            prop_assert!(sampled <= told && sampled <= transfer, "{:?}", wire.facts);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Whatever the machines are called: labels do not follow the traffic.
    #[test]
    fn a_thousand_boot_paths_are_one_endpoint(
        machines in proptest::collection::hash_set(any::<[u8; 6]>(), 1_000),
    ) {
        let mut wire = Wire::new();
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
        _ => None,
    }
}
