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
            handles: BTreeMap::new(),
            counted: HashMap::new(),
        }
    }

    /// Takes the kernel side's own totals of segments that were sent again, and how many connections
    /// there are now, by port. A port that has a name has series of its own; what came before it had
    /// one is among the others.
    pub fn set(
        &mut self,
        ports: &Ports,
        retransmits: impl Iterator<Item = (u16, u64)>,
        connections: &BTreeMap<u16, u64>,
    ) {
        for (_, name) in ports.all().filter(|(_, name)| *name != Name::Other) {
            self.handles(name);
        }
        for (port, total) in retransmits {
            self.count(port, total, ports);
        }
        let mut sums: BTreeMap<Name, u64> = BTreeMap::new();
        for (port, count) in connections {
            *sums.entry(name(ports, *port)).or_default() += count;
        }
        for name in sums.keys() {
            self.handles(*name);
        }
        for (name, handles) in &self.handles {
            let count = sums.get(name).copied().unwrap_or(0);
            handles.connections.set(whole(count));
        }
    }

    fn count(&mut self, port: u16, total: u64, ports: &Ports) {
        let counted = self.counted.entry(port).or_default();
        let more = total.saturating_sub(*counted);
        *counted += more;
        if more != 0 {
            self.handles(name(ports, port)).retransmits.inc_by(more);
        }
    }

    fn handles(&mut self, name: Name) -> &Handles {
        let (retransmits, connections) = (&self.retransmits, &self.connections);
        self.handles.entry(name).or_insert_with(|| {
            let label = || [name.label()];
            Handles {
                retransmits: retransmits.with(label()),
                connections: connections.with(label()),
            }
        })
    }
}

/// One that has none yet is one of the others.
fn name(ports: &Ports, port: u16) -> Name {
    ports.name(port).unwrap_or(Name::Other)
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

    fn set(
        metrics: &mut PortMetrics,
        ports: &Ports,
        retransmits: &[(u16, u64)],
        connections: &[(u16, u64)],
    ) {
        let connections = connections.iter().copied().collect();
        metrics.set(ports, retransmits.iter().copied(), &connections);
    }

    #[test]
    fn a_port_with_a_name_is_there_from_the_start() {
        let (mut metrics, ports) = (metrics(), Ports::pinned(&[80]));
        for (total, connections, count) in [(0, 0, 0), (3, 2, 3), (3, 2, 3), (5, 0, 5)] {
            set(&mut metrics, &ports, &[(80, total)], &[(80, connections)]);
            let connections = i64::try_from(connections).expect("small");
            assert_eq!(said(&metrics), [(Name::Port(80), count, connections)]);
        }
        set(&mut metrics, &ports, &[], &[]);
        assert_eq!(said(&metrics), [(Name::Port(80), 5, 0)]);
    }

    #[test]
    fn what_came_before_its_name_stays_among_the_others() {
        let (mut metrics, mut ports) = (metrics(), Ports::default());
        set(&mut metrics, &ports, &[(8080, 4)], &[(8080, 1)]);
        assert_eq!(said(&metrics), [(Name::Other, 4, 1)]);
        ports.serve(8080);
        set(&mut metrics, &ports, &[(8080, 6)], &[(8080, 1)]);
        assert_eq!(
            said(&metrics),
            [(Name::Port(8080), 2, 1), (Name::Other, 4, 0)]
        );
    }

    #[test]
    fn the_first_have_names_and_nobody_loses_his() {
        let all: Vec<u16> = (1..=40).collect();
        let (mut metrics, ports) = (metrics(), Ports::pinned(&all));
        let each = |value: fn(u16) -> u64| -> Vec<(u16, u64)> {
            all.iter().map(|port| (*port, value(*port))).collect()
        };
        set(&mut metrics, &ports, &each(u64::from), &each(|_| 1));
        let named = (1..=16).map(|port| (Name::Port(port), u64::from(port), 1));
        let mut expected: Vec<_> = named.collect();
        expected.push((Name::Other, (17..=40).sum(), 24));
        assert_eq!(said(&metrics), expected);
    }
}
