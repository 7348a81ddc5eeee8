//! What lives, row by row.

use observer_common::conn::{Conn, Pickup};

use super::{Rows, Step, wire::Wire};
use crate::model::{fact::Fact, target::Target};

const PUT: &str = "PUT /api/x?y HTTP/1.1\r\nContent-Length: 10\r\n";
const OK5: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

#[track_caller]
fn check(wire: &Wire, step: Step, bytes: u64, total: Option<u64>) {
    let Rows { rows, count } = wire.tracker.rows(wire.now, 9);
    assert_eq!((rows.len(), count), (1, 1));
    let row = &rows[0];
    assert_eq!((row.step, row.bytes, row.total), (step, bytes, total));
    assert_eq!(row.target, Target::new(b"/api/x?y"));
    let age = wire.now - row.asked.begun_ns;
    assert!(row.phases.duration() <= age, "{row:?}");
}

#[test]
fn a_row_is_where_its_exchange_is() {
    let mut wire = Wire::new();
    wire.ask(PUT);
    check(&wire, Step::Arriving, 0, None);
    wire.ask("\r\n").look();
    check(&wire, Step::Waiting, 0, Some(10));
    wire.conn.pickup = Pickup {
        ns: wire.now,
        turn: 1,
        pid: 812,
    };
    wire.look();
    check(&wire, Step::Handling, 0, Some(10));
    wire.answer(OK5).look();
    check(&wire, Step::Transferring, 0, Some(5));
    wire.body(3).acknowledge().look();
    check(&wire, Step::Transferring, 3, Some(5));
    wire.body(2).look();
    check(&wire, Step::Draining, 3, Some(5));
    wire.acknowledge().look();
    assert_eq!(wire.tracker.rows(wire.now, 9).count, 0);
}

#[test]
fn an_end_is_told_behind_its_name() {
    let mut wire = Wire::new();
    wire.ask(PUT).ask("\r\n").answer(OK5).body(5).look();
    let at = wire
        .facts
        .iter()
        .position(|fact| matches!(fact, Fact::Ended { .. }));
    let named = &wire.facts[at.expect("it ended") - 1];
    assert!(matches!(named, Fact::Named { target, .. } if target.as_bytes() == b"/api/x?y"));
}

#[test]
fn of_too_many_the_oldest_are_shown() {
    let mut wire = Wire::new();
    for cookie in 1..=5 {
        (wire.conn, wire.cookie) = (Conn::default(), cookie);
        wire.ask("GET /a HTTP/1.1\r\n\r\n");
    }
    let Rows { rows, count } = wire.tracker.rows(wire.now, 2);
    let cookies: Vec<u64> = rows.iter().map(|row| row.id.cookie).collect();
    assert_eq!((cookies, count), (vec![1, 2], 5));
}
