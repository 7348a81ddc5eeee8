//! Families, each declared once: for the exposition, the reference and the number of series.

use prometheus_client::{
    metrics::{MetricType, counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::family::{Family, Instrument};

/// What a family is.
#[derive(Clone, Debug, PartialEq)]
pub struct Descriptor {
    /// As its samples are named; those of a histogram have a suffix each.
    pub name: String,
    /// As in a TYPE line.
    pub kind: &'static str,
    /// As in a HELP line, without its full stop.
    pub help: &'static str,
    /// Label names, `le` apart.
    pub labels: Vec<&'static str>,
    /// Upper bounds, of a histogram.
    pub buckets: &'static [f64],
    /// Sets of label values, at most.
    pub sets: usize,
}

impl Descriptor {
    /// Series, at most.
    pub fn series(&self) -> usize {
        self.sets * lines(self.kind, self.buckets)
    }
}

/// Lines of one set of label values: a histogram has its buckets, `+Inf`, sum and count.
fn lines(kind: &str, buckets: &[f64]) -> usize {
    if kind == MetricType::Histogram.as_str() {
        buckets.len() + 3
    } else {
        1
    }
}

/// A declared family.
pub(super) struct Declared {
    descriptor: Descriptor,
    sets: Box<dyn Fn() -> usize + Send + Sync>,
    register: Box<dyn Fn(&mut Registry) + Send + Sync>,
}

/// The families of all subsystems.
#[derive(Default)]
pub(super) struct Catalog {
    prefix: &'static str,
    declared: Vec<Declared>,
}

/// A family to be: its name without prefix and `_total`, what it says, its labels, and how many
/// sets of label values there can be.
pub(super) struct Declaration<const N: usize> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) labels: [&'static str; N],
    pub(super) sets: usize,
}

impl Catalog {
    /// The families declared from now on have this before their names.
    pub(super) fn with_prefix(&mut self, prefix: &'static str) -> &mut Self {
        self.prefix = prefix;
        self
    }

    pub(super) fn counter<const N: usize>(&mut self, family: Declaration<N>) -> Family<Counter, N> {
        self.declare(family, &[])
    }

    pub(super) fn seconds<const N: usize>(
        &mut self,
        family: Declaration<N>,
    ) -> Family<Counter<f64, std::sync::atomic::AtomicU64>, N> {
        self.declare(family, &[])
    }

    pub(super) fn gauge<const N: usize>(&mut self, family: Declaration<N>) -> Family<Gauge, N> {
        self.declare(family, &[])
    }

    pub(super) fn timestamp<const N: usize>(
        &mut self,
        family: Declaration<N>,
    ) -> Family<Gauge<f64, std::sync::atomic::AtomicU64>, N> {
        self.declare(family, &[])
    }

    pub(super) fn histogram<const N: usize>(
        &mut self,
        family: Declaration<N>,
        buckets: &'static [f64],
    ) -> Family<Histogram, N> {
        self.declare(family, buckets)
    }

    /// All families in a registry, sorted by name, and what they are.
    pub(super) fn finish(self) -> (Registry, Vec<Declared>) {
        let Self { mut declared, .. } = self;
        declared.sort_by(|a, b| a.descriptor.name.cmp(&b.descriptor.name));
        let mut registry = Registry::default();
        for family in &declared {
            (family.register)(&mut registry);
        }
        (registry, declared)
    }

    fn declare<M: Instrument, const N: usize>(
        &mut self,
        Declaration {
            name,
            help,
            labels,
            sets,
        }: Declaration<N>,
        buckets: &'static [f64],
    ) -> Family<M, N> {
        let family = Family::<M, N>::new(labels, buckets);
        let (counted, registered) = (family.clone(), family.clone());
        let name = format!("{}{name}", self.prefix);
        let is_counter = matches!(M::TYPE, MetricType::Counter);
        let total = if is_counter { "_total" } else { "" };
        self.declared.push(Declared {
            descriptor: Descriptor {
                name: format!("{name}{total}"),
                kind: M::TYPE.as_str(),
                help,
                labels: labels.to_vec(),
                buckets,
                sets,
            },
            sets: Box::new(move || counted.len()),
            register: Box::new(move |registry| {
                registry.register(name.as_str(), help, registered.clone());
            }),
        });
        family
    }
}

impl Declared {
    pub(super) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Series that there are now.
    pub(super) fn series(&self) -> usize {
        (self.sets)() * lines(self.descriptor.kind, self.descriptor.buckets)
    }
}
