//! Transfers that stand still.

use observer_common::tftp::{RRQ, WRQ};

use super::{
    Outcome,
    tests::{Host, ack, data, oack, request},
};
use crate::model::stall::WaitsFor;

/// Looks each second so many times; what then stands still, by whom it waits for.
fn after(host: &mut Host, seconds: u32) -> Vec<(WaitsFor, u64)> {
    for _ in 0..seconds {
        host.wait(1);
    }
    let live = host.transfers.live();
    let sums = live.stalled.map(|counts| counts.iter().sum::<u64>());
    let all = WaitsFor::ALL.into_iter().zip(sums);
    all.filter(|(_, sum)| *sum != 0).collect()
}

/// Neither is told before its time.
#[track_caller]
fn check(host: &mut Host, waits_for: WaitsFor) {
    assert_eq!(after(host, 4), [], "too early");
    // What no event tells is seen a second later.
    assert_eq!(after(host, 2), [(waits_for, 1)]);
    assert_eq!(after(host, 20), [(waits_for, 1)]);
}

#[test]
fn of_a_read_the_one_who_has_to_speak_is_waited_for() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", "blksize=1024"));
    host.answers(&oack("blksize=1024"));
    check(&mut host, WaitsFor::Client);
    host.says(&ack(0));
    check(&mut host, WaitsFor::Server);
    host.answers(&data(1, 1024));
    // Sending it again is no progress, nor is asking for it.
    assert_eq!(after(&mut host, 3), []);
    host.answers(&data(1, 1024));
    host.says(&ack(0));
    assert_eq!(after(&mut host, 3), [(WaitsFor::Client, 1)]);
    host.says(&ack(1));
    check(&mut host, WaitsFor::Server);
    host.answers(&data(2, 3));
    host.says(&ack(2));
    assert_eq!(after(&mut host, 20), []);
    assert_eq!(host.outcomes(), [Outcome::Complete]);
}

#[test]
fn of_a_write_the_client_sends() {
    let mut host = Host::new();
    host.asks(&request(WRQ, "a", ""));
    host.answers(&ack(0));
    check(&mut host, WaitsFor::Client);
    host.says(&data(1, 512));
    check(&mut host, WaitsFor::Server);
    host.answers(&ack(1));
    check(&mut host, WaitsFor::Client);
}

#[test]
fn what_nobody_answered_only_waits() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", ""));
    assert_eq!(after(&mut host, 30), []);
    assert_eq!(host.transfers.live().waiting.iter().sum::<u64>(), 1);
    assert_eq!(after(&mut host, 40), []);
    assert_eq!(host.outcomes(), [Outcome::Unanswered]);
}

#[test]
fn one_that_moves_does_not_stand_still() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", ""));
    for block in 1..20 {
        host.answers(&data(block, 512));
        assert_eq!(after(&mut host, 4), []);
        host.says(&ack(block));
        assert_eq!(after(&mut host, 4), []);
    }
    assert_eq!(after(&mut host, 2), [(WaitsFor::Server, 1)]);
}

#[test]
fn a_client_that_is_gone_stands_still_until_its_time_is_out() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", ""));
    host.answers(&data(1, 512));
    assert_eq!(after(&mut host, 50), [(WaitsFor::Client, 1)]);
    assert_eq!(after(&mut host, 15), []);
    assert_eq!(host.outcomes(), [Outcome::Timeout]);
}

#[test]
fn a_row_is_what_is_known_of_its_transfer() {
    let mut host = Host::new();
    let row = |host: &Host| {
        let (rows, count) = host.transfers.rows(9);
        assert_eq!((rows.len(), count), (1, 1));
        (rows[0].wait_ns.is_some(), rows[0].bytes, rows[0].size)
    };
    host.asks(&request(RRQ, "pxelinux.0", "tsize=0"));
    assert_eq!(host.transfers.rows(9).0[0].target.as_bytes(), b"pxelinux.0");
    assert_eq!(row(&host), (false, 0, None));
    host.answers(&oack("tsize=700"));
    host.says(&ack(0));
    host.answers(&data(1, 512));
    host.look();
    assert_eq!(row(&host), (true, 512, Some(700)));
    assert_eq!(host.transfers.rows(0).0.len(), 0);
    host.says(&ack(1));
    host.answers(&data(2, 188));
    host.says(&ack(2));
    assert_eq!(host.outcomes(), [Outcome::Complete]);
    assert!(host.transfers.rows(9).0.is_empty());
}
