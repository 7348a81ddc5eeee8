//! Transfers that stand still: the client falls silent, or the server.

use tests::{
    netns::Netns,
    observer::Observer,
    require_root,
    scrape::Scrape,
    tftp::{
        scripted::{Peer, ack, data, rrq},
        server::Server,
        stage::local,
    },
};

const PORT: u16 = 18_281;
const SIZE: usize = 3 * 512 + 7;

fn stalled(scrape: &Scrape) -> [f64; 2] {
    ["server", "client"].map(|cause| {
        let labels = [("endpoint", "kernel"), ("waits_for", cause)];
        scrape.sum("tftp_transfers_stalled", &labels)
    })
}

#[test]
fn who_is_silent_is_waited_for() {
    require_root();
    let netns = Netns::new("silent").expect("netns");
    let server = Server::tftp_hpa(&netns, PORT, &[("/vmlinuz", SIZE)]).expect("server");
    let observer = Observer::start(&["--tftp-port", &PORT.to_string(), "--stalled-after", "1"]);
    let observer = observer.expect("observer");
    let until = |expected: [f64; 2]| {
        let reached = |scrape: &Scrape| stalled(scrape) == expected;
        let scrape = observer.until(reached).expect("who is waited for");
        let all: f64 = expected.iter().sum();
        assert_eq!(scrape.sum("tftp_transfers_stalled", &[]), all);
        assert_eq!(scrape.sum("http_transfers_stalled", &[]), 0.0);
        assert_eq!(scrape.sum("tftp_requests_waiting", &[]), 0.0);
        scrape
    };
    let mut client = Peer::client(&netns, local(PORT)).expect("client");
    client.send(&rrq(b"vmlinuz", "octet", &[])).expect("ask");
    client.expect(&data(1, 512)).expect("the first block");
    let silent = until([0.0, 1.0]);
    assert_eq!(silent.sum("tftp_transfers_in_flight", &[]), 1.0);
    server.hold(true).expect("hold");
    client.send(&ack(1)).expect("acknowledge");
    until([1.0, 0.0]);
    server.hold(false).expect("let go");
    // It may have sent the first block again.
    for (block, len) in [(2, 512), (3, 512), (4, 7)] {
        while client.receive().expect("a block") != data(block, len) {}
        client.send(&ack(block)).expect("acknowledge");
    }
    let over = observer.until(|scrape| scrape.sum("tftp_transfers_in_flight", &[]) == 0.0);
    let over = over.expect("the end");
    assert_eq!(stalled(&over), [0.0; 2]);
    assert_eq!(
        over.sum("tftp_requests_total", &[("outcome", "complete")]),
        1.0
    );
    observer.stop().expect("stop");
}
