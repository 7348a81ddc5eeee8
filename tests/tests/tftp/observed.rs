//! What the observer says is what the capture tells.

use tests::{
    observer::Observer,
    tftp::{
        Operation, Transfer,
        check::{check, check_scrape},
        stage::{Did, Stage},
    },
};

use crate::{scenarios, scripts};

/// All names here begin with "vmlinuz", and a malformed request has none; nobody boots from what
/// clients write.
fn endpoint(transfer: &Transfer) -> String {
    let is_kernel = transfer.operation == Operation::Read && !transfer.file.is_empty();
    if is_kernel { "kernel" } else { "other" }.to_owned()
}

/// Plays a scenario before the observer's eyes.
fn observe<T>(purpose: &str, ports: &[u16], scenario: impl FnOnce(&Stage, &Observer) -> T) {
    let stage = Stage::new(purpose, ports).expect("stage");
    let observer = watch(ports);
    scenario(&stage, &observer);
    let transfers = stage.end().expect("truth");
    check(&observer, &transfers, endpoint);
    // Nothing more comes of it.
    let scrape = observer.scrape().expect("scrape");
    check_scrape(&scrape, &transfers, endpoint);
    observer.stop().expect("stop");
}

fn watch(ports: &[u16]) -> Observer {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    // Others' HTTP is not looked at.
    let mut args = vec!["--http-port", "18418"];
    args.extend(ports.iter().flat_map(|port| ["--tftp-port", port.as_str()]));
    Observer::start(&args).expect("observer")
}

/// A scenario that does not look at the observer.
fn blind(purpose: &str, ports: &[u16], scenario: impl FnOnce(&Stage) -> Vec<Did>) {
    observe(purpose, ports, |stage, _| scenario(stage));
}

#[test]
fn every_size_from_every_server() {
    blind("o-sizes", &scenarios::PORTS, scenarios::every_size);
}

#[test]
fn ipv6() {
    blind("o-v6", &scenarios::PORTS, scenarios::ipv6);
}

#[test]
fn rollover() {
    blind("o-roll", &scenarios::PORTS, scenarios::rollover);
}

#[test]
fn fragments() {
    blind("o-frag", &scenarios::PORTS, scenarios::fragments);
}

#[test]
fn netascii() {
    blind("o-text", &scenarios::PORTS, scenarios::netascii);
}

#[test]
fn missing() {
    blind("o-miss", &scenarios::PORTS, scenarios::missing);
}

#[test]
fn written() {
    blind("o-write", &scenarios::PORTS, scenarios::write);
}

#[test]
fn scripted() {
    blind("o-script", &scripts::PORTS, scripts::all);
}

#[test]
fn bad_links() {
    observe("o-bad", &scenarios::PORTS, |stage, _| {
        scenarios::bad_links(stage)
    });
}

#[test]
fn who_waits_of_sixty_is_seen_to_wait() {
    observe("o-crowd", &scenarios::PORTS, |stage, observer| {
        scenarios::crowd(stage, || {
            let seen = observer.until(|scrape| {
                scrape.sum("tftp_requests_waiting", &[]) == scenarios::WAITING as f64
            });
            let seen = seen.expect("some wait");
            let in_flight = seen.sum("tftp_transfers_in_flight", &[]);
            assert_eq!(in_flight, scenarios::CROWD as f64);
        })
    });
}
