//! Answers that stand still, and connections by port.

use observer_common::flow::FLAG_FIN;
use proptest::prelude::*;

use super::{Live, wire::Wire};
use crate::model::stall::WaitsFor;

const GET: &str = "GET /images/os.raw HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const SECOND: u64 = 1_000_000_000;

/// Looks each second so many times.
fn wait(wire: &mut Wire, seconds: u32) {
    for _ in 0..seconds {
        wire.now += SECOND;
        wire.look();
    }
}

/// What stands still, by whom it waits for.
fn stalled(live: &Live) -> Vec<(WaitsFor, u64)> {
    let sums = live.stalled.map(|counts| counts.iter().sum::<u64>());
    let all = WaitsFor::ALL.into_iter().zip(sums);
    all.filter(|(_, sum)| *sum != 0).collect()
}

#[track_caller]
fn check(wire: &Wire, waits_for: Option<WaitsFor>) {
    let expected: Vec<_> = waits_for.into_iter().map(|one| (one, 1)).collect();
    assert_eq!(stalled(&wire.tracker.live()), expected);
}

#[test]
fn who_is_waited_for_is_told_after_five_seconds() {
    for (is_open, is_acknowledged, waits_for) in [
        (true, true, WaitsFor::Server),
        (true, false, WaitsFor::Path),
        (false, true, WaitsFor::ClientWindow),
        (false, false, WaitsFor::ClientWindow),
    ] {
        let mut wire = Wire::new();
        wire.ask(GET).answer(HEAD).body(500);
        if is_acknowledged {
            wire.acknowledge();
        }
        wire.window(is_open).look();
        wait(&mut wire, 4);
        check(&wire, None);
        wait(&mut wire, 1);
        check(&wire, Some(waits_for));
        wait(&mut wire, 60);
        check(&wire, Some(waits_for));
        // It goes on, to its end.
        wire.window(true).body(100).acknowledge().look();
        check(&wire, None);
        wire.body(400).acknowledge().look();
        wait(&mut wire, 60);
        assert_eq!(wire.tracker.live(), Live::default());
    }
}

#[test]
fn who_came_last_is_not_blamed_for_who_was_before() {
    let mut wire = Wire::new();
    wire.ask(GET).answer(HEAD).acknowledge().look();
    wait(&mut wire, 9);
    check(&wire, Some(WaitsFor::Server));
    // The server sends, and it is lost.
    wire.body(500);
    wait(&mut wire, 1);
    check(&wire, None);
    wait(&mut wire, 5);
    check(&wire, Some(WaitsFor::Path));
    wire.window(false);
    wait(&mut wire, 5);
    check(&wire, None);
    wait(&mut wire, 1);
    check(&wire, Some(WaitsFor::ClientWindow));
}

#[test]
fn a_request_without_an_answer_does_not_stand_still() {
    for (is_open, waits_for) in [(true, WaitsFor::Path), (false, WaitsFor::ClientWindow)] {
        let mut wire = Wire::new();
        wire.window(is_open).ask(GET);
        wait(&mut wire, 60);
        check(&wire, None);
        // What it waited for before is no part of it.
        wire.answer(HEAD).look();
        wait(&mut wire, 4);
        check(&wire, None);
        wait(&mut wire, 1);
        check(&wire, Some(waits_for));
    }
}

#[test]
fn what_is_sent_or_streams_does_not_stand_still() {
    let mut wire = Wire::new();
    wire.ask(GET).answer(HEAD).body(1000);
    wait(&mut wire, 60);
    check(&wire, None);
    let mut wire = Wire::new();
    wire.ask(GET).answer(EVENTS).acknowledge();
    wait(&mut wire, 60);
    check(&wire, None);
    assert_eq!(wire.tracker.live().streams.iter().sum::<u64>(), 1);
}

#[test]
fn of_requests_that_do_not_wait_one_stands_still() {
    let mut wire = Wire::new();
    wire.pipeline(3).answer_next(HEAD).look();
    wait(&mut wire, 6);
    assert_eq!(wire.in_flight(), 3);
    check(&wire, Some(WaitsFor::Path));
}

#[test]
fn how_long_is_asked_for() {
    let mut wire = Wire::new();
    let tracker = std::mem::replace(&mut wire.tracker, Wire::new().tracker);
    wire.tracker = tracker.stalled_after(SECOND);
    wire.ask(GET).answer(HEAD).acknowledge().look();
    check(&wire, None);
    wait(&mut wire, 1);
    check(&wire, Some(WaitsFor::Server));
}

#[test]
fn connections_are_counted_by_port_until_they_end() {
    let mut wire = Wire::new();
    for (port, known) in [(80, vec![(80, 1)]), (8080, vec![(80, 1), (8080, 1)])] {
        wire.conn.tuple.server_port = port;
        wire.ask(GET).answer(HEAD).body(1000).acknowledge().look();
        // An idle connection is one.
        let mut ports: Vec<_> = wire.tracker.ports().into_iter().collect();
        ports.sort_unstable();
        assert_eq!(ports, known);
        if port == 80 {
            wire.reopen();
        }
    }
    wire.close(FLAG_FIN, FLAG_FIN);
    assert_eq!(wire.tracker.ports(), [(80, 1)].into());
}

/// What happens to an answer within a second.
#[derive(Clone, Copy, Debug)]
enum Step {
    Nothing,
    Sends,
    Acknowledges,
    Closes,
    Opens,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Nothing),
        1 => Just(Step::Sends),
        2 => Just(Step::Acknowledges),
        1 => Just(Step::Closes),
        1 => Just(Step::Opens),
    ]
}

proptest! {
    /// It stands still while what the kernel has of it was the same for five seconds: the
    /// acknowledgement, the window, and whether more was sent.
    #[test]
    fn it_stands_still_when_nothing_changed(steps in proptest::collection::vec(step(), 0..60)) {
        let mut wire = Wire::new();
        wire.ask(GET).answer(HEAD).look();
        let shows = |wire: &Wire| {
            let (window, all) = (wire.conn.ack.window, wire.conn.has_unacknowledged());
            (wire.conn.ack.seq, window == 0, window != 0 && all)
        };
        let (mut since, mut shown) = (0, shows(&wire));
        for (second, step) in (1..).zip(steps) {
            match step {
                Step::Nothing => {}
                // Too little to be all of it.
                Step::Sends => {
                    wire.body(10);
                }
                Step::Acknowledges => {
                    wire.acknowledge();
                }
                Step::Closes => {
                    wire.window(false);
                }
                Step::Opens => {
                    wire.window(true);
                }
            }
            wait(&mut wire, 1);
            if shows(&wire) != shown {
                (since, shown) = (second, shows(&wire));
            }
            let waits_for = match shown {
                (_, true, _) => WaitsFor::ClientWindow,
                (_, false, true) => WaitsFor::Path,
                (_, false, false) => WaitsFor::Server,
            };
            let expected = if second - since >= 5 { vec![(waits_for, 1)] } else { vec![] };
            prop_assert_eq!(stalled(&wire.tracker.live()), expected);
        }
        wire.close(FLAG_FIN, FLAG_FIN);
        prop_assert_eq!(wire.tracker.live(), Live::default());
        prop_assert_eq!(wire.tracker.ports(), [].into());
    }
}
