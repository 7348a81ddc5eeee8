//! What sockets of servers say.

use observer_common::limits::TFTP_PORTS;
use prometheus_client::metrics::counter::Counter;

use super::{
    catalog::{Catalog, Declaration},
    family::Family,
};

/// The families of sockets.
pub struct SocketMetrics {
    udp_drops: Family<Counter, 1>,
}

impl SocketMetrics {
    /// Declares the families.
    pub(super) fn declare(catalog: &mut Catalog) -> Self {
        let udp_drops = catalog.with_prefix("udp_").counter(Declaration {
            name: "receive_drops",
            help: "Datagrams that arrived at a TFTP port and found the socket's queue full: the \
                   server does not read as fast as clients ask",
            labels: ["port"],
            sets: TFTP_PORTS as usize,
        });
        Self { udp_drops }
    }

    /// The kernel side's own total of datagrams that found no room at this port.
    pub fn udp_drops(&self, port: u16, total: u64) {
        let counter = self.udp_drops.with([port.to_string()]);
        counter.inc_by(total.saturating_sub(counter.get()));
    }
}
