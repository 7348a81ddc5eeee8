//! A family whose series come out sorted: prometheus-client's own keeps them by a random hash.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder},
    metrics::{MetricType, TypedMetric, counter::Counter, gauge::Gauge, histogram::Histogram},
};

/// A label's value.
pub(super) type Value = Cow<'static, str>;

/// What a series can be.
pub(super) trait Instrument:
    EncodeMetric + TypedMetric + Clone + fmt::Debug + Send + Sync + 'static
{
    fn new(buckets: &'static [f64]) -> Self;
}

impl<N, A> Instrument for Counter<N, A>
where
    Self: EncodeMetric + Default + Clone + fmt::Debug + Send + Sync + 'static,
{
    fn new(_: &'static [f64]) -> Self {
        Self::default()
    }
}

impl<N, A> Instrument for Gauge<N, A>
where
    Self: EncodeMetric + Default + Clone + fmt::Debug + Send + Sync + 'static,
{
    fn new(_: &'static [f64]) -> Self {
        Self::default()
    }
}

impl Instrument for Histogram {
    fn new(buckets: &'static [f64]) -> Self {
        Self::new(buckets.iter().copied())
    }
}

/// Series by their label values, in the order of the label names.
#[derive(Clone)]
pub(super) struct Family<M, const N: usize> {
    labels: [&'static str; N],
    buckets: &'static [f64],
    series: Arc<RwLock<BTreeMap<[Value; N], M>>>,
}

impl<M: Instrument, const N: usize> Family<M, N> {
    pub(super) fn new(labels: [&'static str; N], buckets: &'static [f64]) -> Self {
        Self {
            labels,
            buckets,
            series: Arc::default(),
        }
    }

    /// The series, which exists from now on.
    pub(super) fn with(&self, values: [impl Into<Value>; N]) -> M {
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let series = series.entry(values.map(Into::into));
        series.or_insert_with(|| M::new(self.buckets)).clone()
    }

    /// No series exists from now on.
    pub(super) fn clear(&self) {
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        series.clear();
    }

    pub(super) fn len(&self) -> usize {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        series.len()
    }
}

impl<M: Instrument> Family<M, 0> {
    /// The one series of a family without labels.
    pub(super) fn only(&self) -> M {
        let no_label: [Value; 0] = [];
        self.with(no_label)
    }
}

impl<M: Instrument, const N: usize> EncodeMetric for Family<M, N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        for (values, metric) in &*series {
            if N == 0 {
                metric.encode(encoder)?;
                break;
            }
            let mut values = values.iter();
            let labels = self.labels.map(|label| {
                let value = values.next().map_or("", AsRef::as_ref);
                (label, value)
            });
            metric.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}

impl<M, const N: usize> fmt::Debug for Family<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}
