//! What TCP says of servers, by their port.

use std::collections::{BTreeMap, HashMap};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use super::{
    catalog::{Catalog, Declaration},
    family::Family,
    whole,
};
use crate::model::ports::{NAMED, Name, Ports};

/// The families of TCP ports.
pub struct PortMetrics {
    retransmits: Family<Counter, 1>,
    connections: Family<Gauge, 1>,
    named: Ports,
    /// Those that there are, by the port's name.
    handles: BTreeMap<Name, Handles>,
    /// The kernel side's totals, as far as they are counted.
    counted: HashMap<u16, u64>,
}

struct Handles {
    retransmits: Counter,
    connections: Gauge,
}

impl PortMetrics {
    /// Declares the families.
    pub(super) fn declare(catalog: &mut Catalog) -> Self {
        let by_port = |name, help| Declaration {
            name,
            help,
            labels: ["port"],
            sets: NAMED + 1,
        };
        let catalog = catalog.with_prefix("tcp_");
        let retransmits = catalog.counter(by_port(
            "retransmits",
            "Segments that servers sent again on connections that asked in HTTP; a port has its own \
             series once it is pinned or asked in HTTP, up to 16",
        ));
        let connections = catalog.gauge(by_port(
            "connections_in_flight",
            "Connections that asked in HTTP at least once and have not ended, idle ones included",
        ));
        Self {
            retransmits,
            connections,
            named: Ports::default(),
            handles: BTreeMap::new(),
            counted: HashMap::new(),
        }
    }

    /// Somebody named this port, or asked there: it has series of its own from now on, if there is
    /// room.
    pub fn name(&mut self, port: u16) {
        self.named.serve(port);
        if self.named.name(port) != Some(Name::Other) {
            self.handles(port);
        }
    }

    /// The kernel side's own total of segments that were sent again from this port. What came
    /// before the port had a name is among the others.
    pub fn retransmits(&mut self, port: u16, total: u64) {
        let counted = self.counted.entry(port).or_default();
        let more = total.saturating_sub(*counted);
        *counted += more;
        if more != 0 {
            self.handles(port).retransmits.inc_by(more);
        }
    }

    /// How many connections there are now at each port.
    pub fn set_connections(&mut self, ports: &HashMap<u16, u64>) {
        let mut sums: BTreeMap<Name, u64> = BTreeMap::new();
        for (port, count) in ports {
            self.handles(*port);
            *sums.entry(name(&self.named, *port)).or_default() += count;
        }
        for (name, handles) in &self.handles {
            let count = sums.get(name).copied().unwrap_or(0);
            handles.connections.set(whole(count));
        }
    }

    fn handles(&mut self, port: u16) -> &Handles {
        let Self {
            retransmits,
            connections,
            named,
            handles,
            ..
        } = self;
        let name = name(named, port);
        handles.entry(name).or_insert_with(|| {
            let label = || [name.label()];
            Handles {
                retransmits: retransmits.with(label()),
                connections: connections.with(label()),
            }
        })
    }
}

/// One that has none yet is one of the others.
fn name(named: &Ports, port: u16) -> Name {
    named.name(port).unwrap_or(Name::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> PortMetrics {
        PortMetrics::declare(&mut Catalog::default())
    }

    fn said(metrics: &PortMetrics) -> Vec<(Name, u64, i64)> {
        let handles = metrics.handles.iter();
        handles
            .map(|(name, handles)| (*name, handles.retransmits.get(), handles.connections.get()))
            .collect()
    }

    #[test]
    fn a_port_with_a_name_is_there_from_the_start() {
        let mut metrics = metrics();
        metrics.name(80);
        assert_eq!(said(&metrics), [(Name::Port(80), 0, 0)]);
        metrics.retransmits(80, 3);
        metrics.retransmits(80, 3);
        metrics.retransmits(80, 5);
        metrics.set_connections(&HashMap::from([(80, 2)]));
        assert_eq!(said(&metrics), [(Name::Port(80), 5, 2)]);
        metrics.set_connections(&HashMap::new());
        assert_eq!(said(&metrics), [(Name::Port(80), 5, 0)]);
    }

    #[test]
    fn what_came_before_its_name_stays_among_the_others() {
        let mut metrics = metrics();
        metrics.retransmits(8080, 4);
        metrics.set_connections(&HashMap::from([(8080, 1)]));
        assert_eq!(said(&metrics), [(Name::Other, 4, 1)]);
        metrics.name(8080);
        metrics.retransmits(8080, 6);
        metrics.set_connections(&HashMap::from([(8080, 1)]));
        assert_eq!(
            said(&metrics),
            [(Name::Port(8080), 2, 1), (Name::Other, 4, 0)]
        );
    }

    #[test]
    fn the_first_have_names_and_nobody_loses_his() {
        let mut metrics = metrics();
        for port in 1..=40 {
            metrics.name(port);
        }
        let ports = (1..=40).map(|port| (port, 1)).collect();
        metrics.set_connections(&ports);
        for port in 1..=40 {
            metrics.retransmits(port, u64::from(port));
        }
        let named = (1..=16).map(|port| (Name::Port(port), u64::from(port), 1));
        let mut expected: Vec<_> = named.collect();
        expected.push((Name::Other, (17..=40).sum(), 24));
        assert_eq!(said(&metrics), expected);
    }
}
