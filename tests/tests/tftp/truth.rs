//! What a capture tells is what the programs did.

use tests::tftp::{
    Outcome,
    stage::{Did, Stage},
};

use crate::{scenarios, scripts};

/// Plays a scenario; the capture has exactly the transfers that its programs know of.
fn check(purpose: &str, ports: &[u16], scenario: impl FnOnce(&Stage) -> Vec<Did>) {
    let stage = Stage::new(purpose, ports).expect("stage");
    let mut did = scenario(&stage);
    let transfers = stage.end().expect("truth");
    let mut captured: Vec<Did> = transfers.iter().map(Did::from).collect();
    did.sort();
    captured.sort();
    assert_eq!(captured, did);
}

#[test]
fn every_client_fetches_every_size_from_every_server() {
    check("sizes", &scenarios::PORTS, scenarios::every_size);
}

#[test]
fn ipv6_is_the_same() {
    check("v6", &scenarios::PORTS, scenarios::ipv6);
}

#[test]
fn block_numbers_roll_over() {
    check("rollover", &scenarios::PORTS, scenarios::rollover);
}

#[test]
fn blocks_larger_than_packets_are_counted_whole() {
    check("fragments", &scenarios::PORTS, scenarios::fragments);
}

#[test]
fn text_is_counted_as_it_is_on_the_wire() {
    check("text", &scenarios::PORTS, scenarios::netascii);
}

#[test]
fn what_is_not_there_is_not_found() {
    check("missing", &scenarios::PORTS, scenarios::missing);
}

#[test]
fn files_are_written() {
    check("write", &scenarios::PORTS, scenarios::write);
}

#[test]
fn of_sixty_some_wait() {
    check("crowd", &scenarios::PORTS, |stage| {
        scenarios::crowd(stage, || {})
    });
}

#[test]
fn scripts_end_as_they_say() {
    check("scripts", &scripts::PORTS, scripts::all);
}

/// The observer does not see ICMP: to it that is silence.
#[test]
fn who_has_gone_is_refused() {
    let stage = Stage::new("gone", &scripts::PORTS).expect("stage");
    let did = scripts::gone(&stage);
    let transfers = stage.end().expect("truth");
    let captured: Vec<Did> = transfers.iter().map(Did::from).collect();
    assert_eq!(captured, [did]);
    assert!(transfers.iter().all(|one| one.refused));
}

/// Whoever has the file has all its blocks, each counted once; whether the last
/// acknowledgement has come, only the server knows.
#[test]
fn bad_links_change_no_bytes() {
    let stage = Stage::new("bad", &scenarios::PORTS).expect("stage");
    let (did, fates) = scenarios::bad_links(&stage);
    let transfers = stage.end().expect("truth");
    let is_whole = |outcome| [Outcome::Complete, Outcome::CompleteUnacked].contains(&outcome);
    let known: Vec<(bool, u64)> = did.iter().map(|one| (true, one.bytes)).collect();
    let captured: Vec<(bool, u64)> = transfers
        .iter()
        .map(|one| (is_whole(one.outcome), one.bytes))
        .collect();
    assert_eq!(captured, known, "{transfers:#?}");
    let again: u64 = transfers.iter().map(|one| one.retransmits).sum();
    let lost: u64 = fates.iter().map(|fate| fate.lost).sum();
    assert!(lost > 0 && again > 0, "{lost} lost, {again} sent again");
}
