//! What sockets of servers say.

use observer_common::limits::TFTP_PORTS;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use super::{
    catalog::{Catalog, Declaration},
    count,
    family::{Family, Value},
    raise, whole,
};
use crate::model::{
    ports::{NAMED, Name},
    queues::Queues,
};

/// TCP ports with a label, `other` among them.
const TCP: usize = NAMED + 1;
const UDP: usize = TFTP_PORTS as usize;

/// The families of sockets.
pub struct SocketMetrics {
    up: Family<Gauge, 2>,
    listen_length: Family<Gauge, 1>,
    listen_limit: Family<Gauge, 1>,
    listen_drops: Family<Counter, 1>,
    udp_bytes: Family<Gauge, 1>,
    udp_drops: Family<Counter, 1>,
    unreachable: Gauge,
}

impl SocketMetrics {
    /// Declares the families.
    pub(super) fn declare(catalog: &mut Catalog) -> Self {
        let up = catalog.with_prefix("pxe_").gauge(Declaration {
            name: "listener_up",
            help: "1 while somebody listens (tcp) or is bound (udp) there, 0 once nobody is; of \
                   named ports, and of others from their first HTTP request or TFTP server on; \
                   other is 1 while each of its ports is",
            labels: ["port", "protocol"],
            sets: TCP + UDP,
        });
        let tcp = catalog.with_prefix("tcp_");
        let listen_length = tcp.gauge(by_port(
            TCP,
            "listen_queue_length",
            "Connections that wait to be accepted, all listening sockets of the port together",
        ));
        let listen_limit = tcp.gauge(by_port(
            TCP,
            "listen_queue_limit",
            "A listening socket takes no more connections when more than this wait; of several the \
             sum",
        ));
        let listen_drops = tcp.counter(by_port(
            TCP,
            "listen_drops",
            "Connections that listening sockets did not take at once, since they listen: the queue \
             was full and clients tried again after 1, 3, 7 s, if the queue length is above its \
             limit; else the server waits for data first (TCP_DEFER_ACCEPT)",
        ));
        let udp = catalog.with_prefix("udp_");
        let udp_bytes = udp.gauge(by_port(
            UDP,
            "receive_queue_bytes",
            "Memory of the datagrams that wait to be read at a TFTP port, overhead included, as the \
             kernel counts it against the socket's limit",
        ));
        let udp_drops = udp.counter(by_port(
            UDP,
            "receive_drops",
            "Datagrams that arrived at a TFTP port and found the socket's queue full: the server \
             does not read as fast as clients ask",
        ));
        let unreachable = catalog.with_prefix("pxe_observer_").gauge(Declaration {
            name: "namespaces_unreachable",
            help: "Network namespaces with servers that cannot be entered, as far as processes may \
                   be looked into: their queues and links are in no family, and nobody is up there",
            labels: [],
            sets: 1,
        });
        Self {
            up,
            listen_length,
            listen_limit,
            listen_drops,
            udp_bytes,
            udp_drops,
            unreachable: unreachable.only(),
        }
    }

    /// The kernel side's own total of datagrams that found no room at this port.
    pub fn udp_drops(&self, port: u16, total: u64) {
        raise(&self.udp_drops.with([port.to_string()]), total);
    }

    /// Sets what was last known of servers' queues. What could not be read is in no series.
    pub fn set_queues(&self, queues: &Queues) {
        for gauges in [&self.listen_length, &self.listen_limit, &self.udp_bytes] {
            gauges.clear();
        }
        self.up.clear();
        for (name, port) in queues.listening() {
            self.set_up(name, "tcp", port.up);
            self.listen_length
                .with([name.label()])
                .set(whole(port.length));
            self.listen_limit
                .with([name.label()])
                .set(whole(port.limit));
        }
        for (name, total) in queues.drops() {
            raise(&self.listen_drops.with([name.label()]), total);
        }
        for (port, state) in queues.receiving() {
            let name = Name::Port(port);
            self.set_up(name, "udp", state.up);
            self.udp_bytes.with([name.label()]).set(whole(state.bytes));
        }
        self.unreachable.set(count(queues.unreachable()));
    }

    fn set_up(&self, name: Name, protocol: &'static str, up: bool) {
        let labels: [Value; 2] = [name.label(), protocol.into()];
        self.up.with(labels).set(up.into());
    }
}

fn by_port(sets: usize, name: &'static str, help: &'static str) -> Declaration<1> {
    Declaration {
        name,
        help,
        labels: ["port"],
        sets,
    }
}
