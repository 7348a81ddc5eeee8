//! Each cause is said while it is there, and nothing else ever.

use std::sync::atomic::AtomicBool;

use tests::starve::{Scenario, play};

fn check(scenario: Scenario, machines: usize) {
    let report = play(scenario, machines, &AtomicBool::new(false)).expect("a scenario");
    assert!(report.is_right(), "{report}\n{}", report.injection());
    assert_eq!(report.leaves(), [""; 0], "{report}");
}

#[test]
fn nothing_is_said_of_ordinary_boots() {
    check(Scenario::Control, 16);
}

#[test]
fn a_worker_that_converts_is_said_to_be_busy() {
    check(Scenario::Converter, 16);
}

#[test]
fn a_tftp_server_at_its_limit_is_said_to_be() {
    check(Scenario::TftpLimit, 16);
}
