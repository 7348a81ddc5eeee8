//! What the observer says about itself.

use std::collections::HashMap;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::model::{event::Kind, loss::Loss, protocol::Protocol};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByProbe {
    probe: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByProtocol {
    protocol: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// The observer's families.
pub struct ObserverMetrics {
    events: HashMap<Kind, Counter>,
    lost: HashMap<Loss, Counter>,
    ring_full: HashMap<Kind, Counter>,
    probes: Family<ByProbe, Gauge>,
    /// With the kernel side's total that is counted already.
    connections: HashMap<Protocol, (Counter, u64)>,
    /// What was counted of a reason that the kernel side counts by itself.
    kernel_lost: HashMap<Loss, u64>,
}

impl ObserverMetrics {
    /// Registers the families; every kind and reason exists from now on.
    pub fn register(registry: &mut Registry) -> Self {
        let events = Family::<ByKind, Counter>::default();
        let lost = Family::<ByReason, Counter>::default();
        let ring_full = Family::<ByKind, Counter>::default();
        let probes = Family::<ByProbe, Gauge>::default();
        let connections = Family::<ByProtocol, Counter>::default();
        let build = Family::<Build, Gauge>::default();
        registry.register(
            "events",
            "Kernel events taken from the ring",
            events.clone(),
        );
        registry.register(
            "events_lost",
            "Requests that are in no other family, by reason, each once; head_truncated is in them",
            lost.clone(),
        );
        registry.register(
            "ring_full",
            "Kernel events that found the ring full; what became of their requests is in \
             events_lost (ring_full, swept)",
            ring_full.clone(),
        );
        registry.register(
            "probe_attached",
            "1 if the hook is attached",
            probes.clone(),
        );
        registry.register(
            "connections",
            "Connections to watched ports by what their first bytes were; of others than http no \
             byte is read further",
            connections.clone(),
        );
        registry.register("build_info", "1; the version is a label", build.clone());
        build
            .get_or_create_owned(&Build {
                version: env!("CARGO_PKG_VERSION"),
            })
            .set(1);
        let by_kind = |kind: Kind| {
            (
                kind,
                events.get_or_create_owned(&ByKind { kind: kind.name() }),
            )
        };
        let full_by_kind = |kind: Kind| {
            (
                kind,
                ring_full.get_or_create_owned(&ByKind { kind: kind.name() }),
            )
        };
        let by_reason = |loss: Loss| {
            (
                loss,
                lost.get_or_create_owned(&ByReason {
                    reason: loss.name(),
                }),
            )
        };
        let by_protocol = |protocol: Protocol| {
            let label = ByProtocol {
                protocol: protocol.name(),
            };
            (protocol, (connections.get_or_create_owned(&label), 0))
        };
        Self {
            connections: Protocol::ALL.map(by_protocol).into(),
            events: Kind::ALL.map(by_kind).into(),
            lost: Loss::ALL.map(by_reason).into(),
            ring_full: Kind::ALL.map(full_by_kind).into(),
            probes,
            kernel_lost: HashMap::new(),
        }
    }

    /// An event was taken from the ring.
    pub fn event(&self, kind: Kind) {
        if let Some(counter) = self.events.get(&kind) {
            counter.inc();
        }
    }

    /// Something is not in the numbers.
    pub fn lost(&self, loss: Loss, count: u64) {
        if let Some(counter) = self.lost.get(&loss) {
            counter.inc_by(count);
        }
    }

    /// The kernel side's own total of a reason, counted since it was loaded.
    pub fn kernel_lost(&mut self, loss: Loss, total: u64) {
        let counted = self.kernel_lost.entry(loss).or_default();
        let new = total.saturating_sub(*counted);
        *counted += new;
        self.lost(loss, new);
    }

    /// The kernel side's own total of connections with this protocol.
    pub fn connections(&mut self, protocol: Protocol, total: u64) {
        if let Some((counter, counted)) = self.connections.get_mut(&protocol) {
            counter.inc_by(total.saturating_sub(*counted));
            *counted = total.max(*counted);
        }
    }

    /// The kernel side's own total of events of a kind that found the ring full. With its REQUEST a
    /// request is lost; one that lost another event ends, or is swept.
    pub fn ring_full(&mut self, kind: Kind, total: u64) {
        if let Some(counter) = self.ring_full.get(&kind) {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        if kind == Kind::Request {
            self.kernel_lost(Loss::RingFull, total);
        }
    }

    /// Whether a hook is attached.
    pub fn probe(&self, name: &'static str, attached: bool) {
        self.probes
            .get_or_create_owned(&ByProbe { probe: name })
            .set(i64::from(attached));
    }
}
