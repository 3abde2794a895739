//! Short-lived values that any instance may forget at any moment: counters of attempts, answers
//! that are cheap to make again. Never the only place where something is known.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Sources, Timestamp};
use parking_lot::Mutex;

/// Which engine keeps the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUrl {
    /// `memory:` - each process for itself.
    Memory,
}

impl FromStr for CacheUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url {
            "memory:" => Ok(Self::Memory),
            other => Err(format!(
                "`{other}` is not a cache; this version has memory:"
            )),
        }
    }
}

/// A cache with bounded memory. Cheap to clone.
#[derive(Clone)]
pub struct Cache(Arc<Memory>);

struct Memory {
    sources: Sources,
    counters: quick_cache::sync::Cache<String, Arc<Mutex<Counter>>>,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    count: u32,
    until: Timestamp,
}

impl Cache {
    /// A cache that holds up to `capacity` values.
    pub fn new(CacheUrl::Memory: CacheUrl, capacity: usize, sources: Sources) -> Self {
        let counters = quick_cache::sync::Cache::new(capacity);
        Self(Arc::new(Memory { sources, counters }))
    }

    /// Counts one more `key` within `window` of the first; returns how many that makes, and how
    /// long the window still lasts.
    pub async fn count(&self, key: &str, window: Duration) -> (u32, Duration) {
        let now = self.0.sources.now();
        let fresh = || {
            Arc::new(Mutex::new(Counter {
                count: 0,
                until: now.plus(window),
            }))
        };
        let made = self
            .0
            .counters
            .get_or_insert_with::<_, std::convert::Infallible>(key, || Ok(fresh()));
        let entry = match made {
            Ok(entry) => entry,
            Err(never) => match never {},
        };
        let mut counter = entry.lock();
        if counter.until <= now {
            *counter = Counter {
                count: 0,
                until: now.plus(window),
            };
        }
        counter.count = counter.count.saturating_add(1);
        (counter.count, counter.until.since(now))
    }

    /// How many `key` were counted in the present window, and how long it still lasts.
    pub async fn counted(&self, key: &str) -> (u32, Duration) {
        let now = self.0.sources.now();
        let Some(entry) = self.0.counters.get(key) else {
            return (0, Duration::ZERO);
        };
        let counter = *entry.lock();
        if counter.until <= now {
            (0, Duration::ZERO)
        } else {
            (counter.count, counter.until.since(now))
        }
    }

    /// Counts one `key` less, if its window still lasts.
    pub async fn take_back(&self, key: &str) {
        if let Some(entry) = self.0.counters.get(key) {
            let mut counter = entry.lock();
            counter.count = counter.count.saturating_sub(1);
        }
    }

    /// Starts counting `key` anew.
    pub async fn forget(&self, key: &str) {
        self.0.counters.remove(key);
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache(memory:)")
    }
}

#[cfg(test)]
mod tests {
    use kernel::{ManualClock, SystemRandom};

    use super::*;

    #[tokio::test]
    async fn a_window_ends() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
        let sources = Sources::new(clock.clone(), Arc::new(SystemRandom));
        let cache = Cache::new(CacheUrl::Memory, 10, sources);
        let minute = Duration::from_secs(60);
        assert_eq!(cache.count("a", minute).await.0, 1);
        assert_eq!(cache.count("a", minute).await.0, 2);
        cache.take_back("a").await;
        assert_eq!(cache.counted("a").await.0, 1);
        assert_eq!(cache.counted("b").await.0, 0);
        clock.advance(minute);
        assert_eq!(cache.counted("a").await.0, 0);
        assert_eq!(cache.count("a", minute).await.0, 1);
        cache.forget("a").await;
        assert_eq!(cache.counted("a").await.0, 0);
    }
}
