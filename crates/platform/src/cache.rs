//! Short-lived values that any instance may forget at any moment: counters of attempts, answers
//! that are cheap to make again. Never the only place where something is known.

mod memory;
mod shared;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use kernel::Sources;

use self::memory::Memory;
use self::shared::Shared;
use crate::metrics::RedisMetrics;
use crate::redis::{Redis, RedisSettings, RedisUrl};

/// How long Redis may take: a log-in can wait longer for an exact count than a request for its
/// limit.
const PATIENCE: Duration = Duration::from_millis(250);

/// Which engine keeps the values.
#[derive(Debug, Clone)]
pub enum CacheUrl {
    /// `memory:` - each process for itself.
    Memory,
    /// `redis://` or `rediss://` - all instances together, and each for itself while it is away.
    Redis(RedisUrl),
}

impl FromStr for CacheUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("redis" | "rediss", _)) => url
                .parse()
                .map(Self::Redis)
                .map_err(|error: crate::redis::InvalidRedisUrl| error.to_string()),
            // What is no URL at all may hold a secret.
            _ => Err(String::from(
                "unknown kind of cache; this version has memory: and redis://HOST",
            )),
        }
    }
}

/// A cache with bounded memory. Cheap to clone.
#[derive(Clone)]
pub struct Cache(Arc<Engines>);

struct Engines {
    /// Counts while Redis is away, or always.
    memory: Memory,
    shared: Option<Shared>,
}

impl Cache {
    /// A cache that holds up to `capacity` values in this process.
    pub fn new(url: &CacheUrl, capacity: usize, sources: Sources, metrics: RedisMetrics) -> Self {
        let shared = match url {
            CacheUrl::Memory => None,
            CacheUrl::Redis(url) => {
                let settings = RedisSettings {
                    timeout: PATIENCE,
                    ..RedisSettings::new(url.clone())
                };
                Some(Shared::new(Redis::new(&settings, metrics), None))
            }
        };
        let memory = Memory::new(capacity, sources);
        Self(Arc::new(Engines { memory, shared }))
    }

    /// Counts one more `key` within `window` of the first; returns how many that makes, and how
    /// long the window still lasts.
    pub async fn count(&self, key: &str, window: Duration) -> (u32, Duration) {
        if let Some(shared) = &self.0.shared
            && let Ok(counted) = shared.count(key, window).await
        {
            return counted;
        }
        self.0.memory.count(key, window)
    }

    /// How many `key` were counted in the present window, and how long it still lasts.
    pub async fn counted(&self, key: &str) -> (u32, Duration) {
        if let Some(shared) = &self.0.shared
            && let Ok(counted) = shared.counted(key).await
        {
            return counted;
        }
        self.0.memory.counted(key)
    }

    /// Counts one `key` less, if its window still lasts.
    pub async fn take_back(&self, key: &str) {
        if let Some(shared) = &self.0.shared
            && shared.take_back(key).await.is_ok()
        {
            return;
        }
        self.0.memory.take_back(key);
    }

    /// Starts counting `key` anew.
    pub async fn forget(&self, key: &str) {
        if let Some(shared) = &self.0.shared {
            // If it is away, what it knows counts on when it is back, until its window ends.
            let _ = shared.forget(key).await;
        }
        self.0.memory.forget(key);
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.shared {
            None => f.write_str("Cache(memory:)"),
            Some(shared) => write!(f, "Cache({shared:?})"),
        }
    }
}
