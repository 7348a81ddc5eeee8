//! What the interfaces that carry boot traffic count.

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use super::{
    catalog::{Catalog, Declaration},
    family::{Family, Value},
    raise, whole,
};
use crate::model::links::{Links, NAMED};

/// Received and sent.
const DIRECTIONS: usize = 2;

/// The families of links.
pub struct LinkMetrics {
    bytes: Family<Counter, 2>,
    drops: Family<Counter, 2>,
    speed: Family<Gauge, 1>,
    left_out: Counter,
}

impl LinkMetrics {
    /// Declares the families. `left_out` counts the interfaces that have no place in them.
    pub(super) fn declare(catalog: &mut Catalog, left_out: Counter) -> Self {
        let catalog = catalog.with_prefix("pxe_link_");
        let by_direction = |name, help| Declaration {
            name,
            help,
            labels: ["direction", "interface"],
            sets: DIRECTIONS * NAMED,
        };
        let bytes = catalog.counter(by_direction(
            "bytes",
            "Bytes with link layer headers of all traffic of the interfaces that carry boot \
             traffic, as they count it since they were made: those that own the addresses where \
             requests arrive, and those beneath them; interfaces of one name in several namespaces \
             are summed",
        ));
        let drops = catalog.counter(by_direction(
            "drops",
            "Packets that these interfaces dropped: sent by their queueing discipline or driver, \
             received by their driver (no room) or behind it (nobody takes such packets)",
        ));
        let speed = catalog.gauge(Declaration {
            name: "speed_bytes",
            help: "Bytes a second that the link can carry, each way; absent where that is not \
                   known or no limit (bridge, veth, other namespaces)",
            labels: ["interface"],
            sets: NAMED,
        });
        Self {
            bytes,
            drops,
            speed,
            left_out,
        }
    }

    /// Sets what was last known.
    pub fn set(&self, links: &Links) {
        self.speed.clear();
        for (name, total) in links.totals() {
            for (family, direction, total) in [
                (&self.bytes, "received", total.received),
                (&self.bytes, "sent", total.sent),
                (&self.drops, "received", total.received_drops),
                (&self.drops, "sent", total.sent_drops),
            ] {
                let labels: [Value; 2] = [direction.into(), name.to_owned().into()];
                raise(&family.with(labels), total);
            }
            if let Some(speed) = total.speed {
                self.speed.with([name.to_owned()]).set(whole(speed));
            }
        }
        raise(&self.left_out, links.left_out());
    }
}
