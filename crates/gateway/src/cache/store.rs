//! What is stored, in bounded memory: the answers to each target, the newest first.

use std::sync::Arc;

use http::HeaderMap;
use kernel::Timestamp;
use parking_lot::Mutex;
use platform::metrics::HttpCacheMetrics;
use prometheus_client::metrics::counter::Counter;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

use super::entry::Entry;
use super::key::Key;
use super::purge::Purges;

/// What a target takes besides its key and its entries.
const OVERHEAD: usize = 160;
/// What an entry may be expected to take: only how much room for pointers is made at first.
const USUAL: usize = 16 << 10;
/// A shard holds at least this, as what is stored for a target has to fit into one.
const SHARD: usize = 16 << 20;
const SHARDS: usize = 64;

/// The answers to one target.
#[derive(Debug)]
struct Slot {
    entries: Box<[Arc<Entry>]>,
    bytes: u64,
}

/// How many shards a store has: a power of two.
fn shards(memory: usize) -> usize {
    let shards = (memory / SHARD).clamp(1, SHARDS);
    1 << shards.ilog2()
}

/// How many bytes a store of so many can hold for one target.
pub(crate) fn largest(memory: usize) -> usize {
    memory / shards(memory) / 2
}

/// What is stored for a request.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// This, be it fresh or not.
    Found(Arc<Entry>),
    /// Answers to other requests for the target.
    VaryMiss,
    /// Nothing.
    UriMiss,
}

/// Bounded by bytes. Reading takes a lock that readers share, for as long as it takes to count a
/// reference.
pub(crate) struct Store {
    slots: Cache<Key, Arc<Slot>, Weigh, DefaultHashBuilder, Evictions>,
    /// Held while the answers to a target are changed.
    writes: Mutex<()>,
    pub(crate) purges: Purges,
    largest: usize,
    metrics: HttpCacheMetrics,
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Key, Arc<Slot>> for Weigh {
    fn weight(&self, key: &Key, slot: &Arc<Slot>) -> u64 {
        slot.bytes + key.len() as u64
    }
}

/// Counts what has to make room.
#[derive(Clone)]
struct Evictions(Counter);

impl Lifecycle<Key, Arc<Slot>> for Evictions {
    /// What was evicted, let go of after the lock.
    type RequestState = Vec<Arc<Slot>>;

    fn on_evict(&self, state: &mut Self::RequestState, _: Key, slot: Arc<Slot>) {
        self.0.inc();
        state.push(slot);
    }
}

impl Store {
    pub(crate) fn new(memory: usize, purges: Purges, metrics: HttpCacheMetrics) -> Self {
        let shards = shards(memory);
        let options = OptionsBuilder::new()
            .shards(shards)
            .weight_capacity(memory as u64)
            .estimated_items_capacity((memory / USUAL).max(shards * 32))
            .build()
            .expect("both capacities are given");
        let evictions = Evictions(metrics.evictions.clone());
        let hasher = DefaultHashBuilder::default();
        Self {
            slots: Cache::with_options(options, Weigh, hasher, evictions),
            writes: Mutex::new(()),
            purges,
            largest: largest(memory),
            metrics,
        }
    }

    /// What is stored under `key` for a request with these fields.
    pub(crate) fn look_up(&self, key: &[u8], request: &HeaderMap) -> Lookup {
        let Some(slot) = self.slots.get(key) else {
            return Lookup::UriMiss;
        };
        let mut lookup = Lookup::UriMiss;
        for entry in &slot.entries {
            if !self.purges.outlived(entry) {
                continue;
            }
            if entry.meta.selecting.matches(request) {
                return Lookup::Found(entry.clone());
            }
            lookup = Lookup::VaryMiss;
        }
        lookup
    }

    /// Stores `entry` unless it was purged on its way; of the others at most `variants - 1` stay.
    pub(crate) fn insert(&self, key: &[u8], entry: Arc<Entry>, variants: usize) {
        let _writing = self.writes.lock();
        if !self.purges.outlived(&entry) {
            return;
        }
        let before = self.slots.peek(key);
        let others = before.iter().flat_map(|slot| slot.entries.iter());
        let mut bytes = entry.bytes();
        let others = others
            .filter(|other| other.meta.selecting != entry.meta.selecting)
            .filter(|other| self.purges.outlived(other))
            .take(variants.saturating_sub(1))
            .take_while(|other| {
                bytes += other.bytes();
                bytes <= self.largest
            });
        let entries: Vec<Arc<Entry>> = [&entry].into_iter().chain(others).cloned().collect();
        self.put(key, entries);
    }

    /// Removes `entry`, if it is still there.
    pub(crate) fn remove(&self, key: &[u8], entry: &Arc<Entry>) {
        let _writing = self.writes.lock();
        let Some(slot) = self.slots.peek(key) else {
            return;
        };
        let others = slot
            .entries
            .iter()
            .filter(|other| !Arc::ptr_eq(other, entry));
        let others: Vec<Arc<Entry>> = others.cloned().collect();
        if others.is_empty() {
            self.slots.remove(key);
            self.measure();
        } else {
            self.put(key, others);
        }
    }

    fn put(&self, key: &[u8], entries: Vec<Arc<Entry>>) {
        let bytes: usize = entries.iter().map(|entry| entry.bytes()).sum();
        let slot = Slot {
            entries: entries.into(),
            bytes: (OVERHEAD + bytes) as u64,
        };
        self.slots.insert(key.into(), Arc::new(slot));
        self.measure();
    }

    /// Lets go of everything.
    pub(crate) fn clear(&self) {
        let _writing = self.writes.lock();
        self.slots.clear();
        self.measure();
    }

    /// Bytes that are stored.
    pub(crate) fn bytes(&self) -> u64 {
        self.slots.weight()
    }

    fn measure(&self) {
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.bytes.set(gauge(self.slots.weight()));
        self.metrics.entries.set(gauge(self.slots.len() as u64));
    }
}

/// Targets whose answers could not be stored a moment ago: requests for them do not wait for each
/// other. Two that share a hash only lose that.
pub(crate) struct Passes(Cache<u64, Timestamp>);

/// How many are remembered.
const PASSES: usize = 10_000;

impl Passes {
    pub(crate) fn new() -> Self {
        Self(Cache::new(PASSES))
    }

    pub(crate) fn note(&self, hash: u64, until: Timestamp) {
        self.0.insert(hash, until);
    }

    pub(crate) fn is_noted(&self, hash: u64, now: Timestamp) -> bool {
        self.0.get(&hash).is_some_and(|until| now < until)
    }
}
