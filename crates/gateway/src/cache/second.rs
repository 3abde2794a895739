//! The second level: a store that several instances share, behind what is stored here. It can be
//! away or slow at any moment; no request fails for that, and none waits long.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kernel::Sources;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

use super::StoreSettings;
use super::background::Background;
use super::purge::PurgeMode;

/// What a value is stored under: a SHA-256 over the parts of its key.
pub type SecondKey = [u8; 32];

/// The tag that everything has.
pub(crate) const EVERYTHING: &str = "all";
/// Failures in a row after which the second level is left alone for a while.
const FAILURES: u32 = 5;
/// Purges that may wait for the second level; more are one of everything.
const WAITING: usize = 1000;

/// Why the second level did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the second level of the cache failed: {0}")]
pub struct SecondLevelError(pub Box<dyn std::error::Error + Send + Sync>);

/// What the second level says to a question.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// What is stored and was not purged.
    pub value: Option<Bytes>,
    /// Grows with every purge that the second level has seen. Handed back by [`Put`].
    pub purges: u64,
}

/// Something to store.
#[derive(Debug, Clone)]
pub struct Put {
    /// Under which key.
    pub key: SecondKey,
    /// What.
    pub value: Bytes,
    /// Purging any of these removes it.
    pub tags: Vec<String>,
    /// How long it can be of use.
    pub keep: Duration,
    /// [`Found::purges`] before the value was made: if one of the tags was purged since, the value
    /// must not be stored.
    pub purges: u64,
}

/// A store of bytes that many instances share. Each call ends in an error by itself or is cut off
/// after `second_level_timeout`.
pub trait SecondLevel: fmt::Debug + Send + Sync + 'static {
    /// What is stored under `key`.
    fn get<'a>(&'a self, key: &'a SecondKey) -> BoxFuture<'a, Result<Found, SecondLevelError>>;
    /// Stores a value.
    fn put(&self, put: Put) -> BoxFuture<'_, Result<(), SecondLevelError>>;
    /// Removes what has one of its tags, and refuses what was made before. Then tells the other
    /// instances, where that is wanted.
    fn purge<'a>(&'a self, purge: &'a TagPurge) -> BoxFuture<'a, Result<(), SecondLevelError>>;
}

/// A purge, as the second level has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPurge {
    /// The tags.
    pub tags: Vec<String>,
    /// How it is meant in the memory of other instances; `None` if they are not to be told.
    pub told: Option<PurgeMode>,
}

/// The second level, with patience that ends.
#[derive(Debug, Clone)]
pub(crate) struct Second(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    level: Arc<dyn SecondLevel>,
    timeout: Duration,
    pause: Duration,
    sources: Sources,
    failed: Counter,
    in_a_row: AtomicU32,
    /// Until when it is left alone, in microseconds.
    alone_until: AtomicI64,
    purges: Mutex<Waiting>,
    /// Told when no purge waits any more.
    confirmed: Notify,
}

/// Purges that the second level has not confirmed. Until it has, it is not asked: what it holds
/// may be what was purged.
#[derive(Debug, Default)]
struct Waiting {
    purges: VecDeque<TagPurge>,
    delivering: bool,
}

impl Second {
    pub(crate) fn new(
        level: Arc<dyn SecondLevel>,
        settings: &StoreSettings,
        sources: Sources,
        failed: Counter,
    ) -> Self {
        Self(Arc::new(Inner {
            level,
            timeout: settings.second_level_timeout,
            pause: settings.second_level_pause,
            sources,
            failed,
            in_a_row: AtomicU32::new(0),
            alone_until: AtomicI64::new(i64::MIN),
            purges: Mutex::default(),
            confirmed: Notify::new(),
        }))
    }

    /// What is stored under `key`; `None` if that cannot be found out now.
    pub(crate) async fn get(&self, key: &SecondKey) -> Option<Found> {
        if !self.0.purges.lock().purges.is_empty() || self.is_left_alone() {
            return None;
        }
        self.0.patiently(self.0.level.get(key)).await
    }

    /// Stores a value, if that can be done now.
    pub(crate) async fn put(&self, put: Put) {
        if !self.is_left_alone() {
            self.0.patiently(self.0.level.put(put)).await;
        }
    }

    /// Purges tags, as soon as that can be done.
    pub(crate) fn purge(&self, purge: TagPurge, background: &Background) {
        let mut waiting = self.0.purges.lock();
        waiting.purges.push_back(purge);
        if waiting.purges.len() > WAITING {
            let mut all = waiting.purges.drain(..);
            let told = all.any(|purge| purge.told.is_some());
            drop(all);
            waiting.purges.push_back(TagPurge {
                tags: vec![EVERYTHING.to_owned()],
                told: told.then_some(PurgeMode::Hard),
            });
        }
        drop(waiting);
        self.deliver(background);
    }

    /// Delivers what waits, unless that goes on already or there is no room for it: then the next
    /// one who looks tries again.
    pub(crate) fn deliver(&self, background: &Background) {
        let mut waiting = self.0.purges.lock();
        if waiting.delivering || waiting.purges.is_empty() {
            return;
        }
        let Some(room) = background.room() else {
            return;
        };
        waiting.delivering = true;
        drop(waiting);
        let delivery = Delivery(self.0.clone());
        let shutdown = background.shutdown.clone();
        background.run(room, async move {
            let inner = &*delivery.0;
            loop {
                let next = inner.purges.lock().purges.front().cloned();
                let Some(purge) = next else { break };
                if inner.patiently(inner.level.purge(&purge)).await.is_none() {
                    if !shutdown.sleep(inner.pause).await {
                        break;
                    }
                    continue;
                }
                let mut waiting = inner.purges.lock();
                // It may have been overtaken by a purge of everything.
                if waiting.purges.front() == Some(&purge) {
                    waiting.purges.pop_front();
                }
                if waiting.purges.is_empty() {
                    inner.confirmed.notify_waiters();
                }
            }
        });
    }

    /// Whether it has confirmed every purge, or does within `patience`.
    pub(crate) async fn confirms(&self, patience: Duration) -> bool {
        let confirmed = async {
            loop {
                // Listens before it looks: it may be told in between.
                let mut told = pin!(self.0.confirmed.notified());
                told.as_mut().enable();
                if self.0.purges.lock().purges.is_empty() {
                    return;
                }
                told.await;
            }
        };
        tokio::time::timeout(patience, confirmed).await.is_ok()
    }

    fn is_left_alone(&self) -> bool {
        self.0.sources.now().micros() < self.0.alone_until.load(Ordering::Relaxed)
    }
}

/// Lets the next delivery begin when this one ends, however it ends.
struct Delivery(Arc<Inner>);

impl Drop for Delivery {
    fn drop(&mut self) {
        self.0.purges.lock().delivering = false;
    }
}

impl Inner {
    async fn patiently<T>(
        &self,
        call: impl Future<Output = Result<T, SecondLevelError>>,
    ) -> Option<T> {
        let error = match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(done)) => {
                self.in_a_row.store(0, Ordering::Relaxed);
                return Some(done);
            }
            Ok(Err(error)) => error,
            Err(late) => SecondLevelError(late.into()),
        };
        self.failed.inc();
        if self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES {
            let until = self.sources.now().plus(self.pause);
            let before = self.alone_until.swap(until.micros(), Ordering::Relaxed);
            if before < self.sources.now().micros() {
                tracing::warn!(%error, "the second level of the cache is left alone for a while");
            }
        }
        None
    }
}
