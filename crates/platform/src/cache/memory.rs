//! Values in the memory of this process.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Sources, Timestamp};
use parking_lot::Mutex;

pub(super) struct Memory {
    sources: Sources,
    counters: quick_cache::sync::Cache<String, Arc<Mutex<Counter>>>,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    count: u32,
    until: Timestamp,
}

impl Memory {
    pub(super) fn new(capacity: usize, sources: Sources) -> Self {
        let counters = quick_cache::sync::Cache::new(capacity);
        Self { sources, counters }
    }

    pub(super) fn count(&self, key: &str, window: Duration) -> (u32, Duration) {
        let now = self.sources.now();
        let fresh = Counter {
            count: 0,
            until: now.plus(window),
        };
        let make = || Ok::<_, Infallible>(Arc::new(Mutex::new(fresh)));
        let Ok(entry) = self.counters.get_or_insert_with(key, make);
        let mut counter = entry.lock();
        if counter.until <= now {
            *counter = fresh;
        }
        counter.count = counter.count.saturating_add(1);
        (counter.count, counter.until.since(now))
    }

    pub(super) fn counted(&self, key: &str) -> (u32, Duration) {
        let now = self.sources.now();
        let Some(entry) = self.counters.get(key) else {
            return (0, Duration::ZERO);
        };
        let counter = *entry.lock();
        if counter.until <= now {
            (0, Duration::ZERO)
        } else {
            (counter.count, counter.until.since(now))
        }
    }

    pub(super) fn take_back(&self, key: &str) {
        if let Some(entry) = self.counters.get(key) {
            let mut counter = entry.lock();
            counter.count = counter.count.saturating_sub(1);
        }
    }

    pub(super) fn forget(&self, key: &str) {
        self.counters.remove(key);
    }
}
