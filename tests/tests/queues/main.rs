//! Servers that do not keep up, stand still, or are gone: what their sockets say of it.

mod listen;
mod reach;
mod receive;

use tests::{observer::Observer, scrape::Scrape};

/// What is said of a TCP port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tcp {
    pub(crate) up: f64,
    pub(crate) length: f64,
    pub(crate) limit: f64,
    pub(crate) drops: f64,
}

/// Nobody serves TFTP here; at 69 there may be somebody else's server.
const NO_TFTP: &str = "18419";

pub(crate) fn observe(port: u16) -> Observer {
    let port = port.to_string();
    Observer::start(&["--http-port", &port, "--tftp-port", NO_TFTP]).expect("observer")
}

/// The one series of the port, if there is one.
pub(crate) fn of_port(scrape: &Scrape, name: &str, port: u16) -> Option<f64> {
    let port = port.to_string();
    let mut series = scrape.series(name);
    series.find_map(|(labels, value)| (labels.get("port") == Some(&port)).then_some(value))
}

pub(crate) fn tcp(scrape: &Scrape, port: u16) -> Option<Tcp> {
    let of = |name| of_port(scrape, name, port);
    Some(Tcp {
        up: of("pxe_listener_up")?,
        length: of("tcp_listen_queue_length")?,
        limit: of("tcp_listen_queue_limit")?,
        drops: of("tcp_listen_drops_total").unwrap_or(0.0),
    })
}

/// Scrapes until it is said of the port.
pub(crate) fn until(observer: &Observer, port: u16, said: impl Fn(&Tcp) -> bool) -> (Scrape, Tcp) {
    let reached = observer.until(|scrape| tcp(scrape, port).as_ref().is_some_and(&said));
    let scrape = reached.expect("a state");
    let state = tcp(&scrape, port).expect("a state");
    (scrape, state)
}

/// Nothing else is wrong.
pub(crate) fn is_calm(scrape: &Scrape) {
    for name in [
        "pxe_observer_errors_total",
        "pxe_observer_namespaces_unreachable",
        "pxe_observer_events_lost_total",
        "udp_receive_drops_total",
        "udp_receive_queue_bytes",
    ] {
        assert_eq!(scrape.sum(name, &[]), 0.0, "{name}");
    }
}
