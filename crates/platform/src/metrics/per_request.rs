//! What every request moves: each worker moves its own, and whoever reads adds them up.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use wire::workers::PerWorker;

/// A counter.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<PerWorker<AtomicU64>>);

impl Tally {
    /// One more.
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// So many more.
    pub fn inc_by(&self, more: u64) {
        self.0.own().fetch_add(more, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.all().map(|own| own.load(Ordering::Relaxed)).sum()
    }
}

impl TypedMetric for Tally {
    const TYPE: MetricType = MetricType::Counter;
}

impl EncodeMetric for Tally {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, _, u64>(&self.get(), None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// A gauge of what is under way.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<PerWorker<AtomicI64>>);

impl UnderWay {
    /// One more begins.
    pub fn inc(&self) {
        self.0.own().fetch_add(1, Ordering::Relaxed);
    }

    /// One ends, with whatever worker.
    pub fn dec(&self) {
        self.0.own().fetch_sub(1, Ordering::Relaxed);
    }

    /// How many are under way.
    pub fn get(&self) -> i64 {
        let all = self.0.all().map(|own| own.load(Ordering::Relaxed));
        // One may have begun with a worker that was asked already, and ended with one that was not.
        all.sum::<i64>().max(0)
    }
}

impl TypedMetric for UnderWay {
    const TYPE: MetricType = MetricType::Gauge;
}

impl EncodeMetric for UnderWay {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self.get())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// From 100 microseconds to 10 seconds: what a request may take.
const BOUNDS: [Duration; 15] = [
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(10),
];

/// The same in seconds.
pub(super) fn bounds() -> impl Iterator<Item = f64> {
    BOUNDS.iter().map(Duration::as_secs_f64)
}

/// A histogram of times, in seconds, of what is over soon: all together may take some centuries.
#[derive(Debug, Clone, Default)]
pub struct Durations(Arc<PerWorker<Share>>);

#[derive(Debug, Default)]
struct Share {
    /// How many took up to each bound and longer than the one before; the last, longer than all.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// What they took together.
    nanos: AtomicU64,
}

impl Durations {
    /// Something took so long.
    pub fn observe(&self, took: Duration) {
        self.0.own().observe(took);
    }
}

impl Share {
    fn observe(&self, took: Duration) {
        let bucket = BOUNDS.iter().position(|bound| took <= *bound);
        let bucket = &self.buckets[bucket.unwrap_or(BOUNDS.len())];
        bucket.fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let mut buckets: Vec<(f64, u64)> = bounds()
            .chain([f64::INFINITY])
            .map(|bound| (bound, 0))
            .collect();
        let mut sum = Duration::ZERO;
        for share in self.0.all() {
            for ((_, count), own) in buckets.iter_mut().zip(&share.buckets) {
                *count += own.load(Ordering::Relaxed);
            }
            sum += Duration::from_nanos(share.nanos.load(Ordering::Relaxed));
        }
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::registry::Registry;

    use super::*;

    fn told<M>(metric: M) -> String
    where
        M: prometheus_client::registry::Metric,
    {
        let mut registry = Registry::default();
        registry.register("it", "It", metric);
        let mut text = String::new();
        encode(&mut text, &registry).expect("fits");
        text
    }

    #[test]
    fn times_are_told_as_the_library_tells_them() {
        let ours = Durations(Arc::new(PerWorker::new(6, Share::default)));
        let theirs = Histogram::new([
            0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
            1.0, 2.5, 10.0,
        ]);
        // On a bound, between two, before all and after all; sums of halves are exact.
        let millis = [0, 1, 3, 500, 10_000, 60_500];
        for (millis, share) in millis.into_iter().zip(ours.0.all()) {
            let took = Duration::from_millis(millis);
            share.observe(took);
            theirs.observe(took.as_secs_f64());
        }
        assert_eq!(told(ours), told(theirs));
    }

    #[test]
    fn whoever_reads_hears_of_all() {
        let tally = Tally(Arc::new(PerWorker::new(3, || AtomicU64::new(10))));
        tally.inc();
        assert_eq!(tally.get(), 31);
        assert!(told(tally).contains("it_total 31\n"));
        let under_way = UnderWay(Arc::new(PerWorker::new(3, || AtomicI64::new(-1))));
        (0..5).for_each(|_| under_way.inc());
        under_way.dec();
        assert_eq!(
            under_way.get(),
            1,
            "what began with one may end with another"
        );
        assert!(told(under_way).contains("it 1\n"));
    }
}
