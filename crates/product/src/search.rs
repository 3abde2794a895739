//! Searching the catalogue.
//!
//! Each instance of the service has an index of its own, in memory: a cache of what is in the
//! database, which it is built from when the instance starts, and which it follows by the change
//! log ([`follow`]). It may be thrown away at any moment. What is found are ids in order; what is
//! shown of them is read from the database, so no price in an answer is ever stale.

mod entry;
mod facets;
mod find;
mod follow;
mod index;
#[cfg(test)]
mod load;
mod matching;
mod plain;
mod price;
mod question;
#[cfg(test)]
mod tests;
mod top;
mod words;

use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::db::Db;
use platform::metrics::SearchMetrics;
use tokio::sync::{Mutex, Semaphore, watch};

pub(crate) use self::facets::{Facet, FacetCounts};
pub(crate) use self::find::Found;
use self::follow::Followed;
use self::index::ProductIndex;
pub(crate) use self::matching::{Match, Words};
pub(crate) use self::question::{Filter, Question, Sort};
pub(crate) use self::top::Place;
use crate::{Config, ProductError};

/// How long a search waits for the first index.
const PATIENCE: Duration = Duration::from_secs(2);
/// Searches that may wait for each core.
const QUEUE: usize = 64;

/// The index of this instance. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Search(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    /// How often the change log is looked at that nobody has woken.
    poll: Duration,
    metrics: SearchMetrics,
    /// The one that answers; `None` until the first one is built.
    index: watch::Sender<Option<ProductIndex>>,
    /// The one that is kept up, by one task at a time.
    followed: Mutex<Option<Followed>>,
    /// A search takes a core.
    cores: Arc<Semaphore>,
    queue: Semaphore,
    /// When the instance stops waiting for its index.
    patient_until: Instant,
}

/// The index could not be searched or written.
#[derive(Debug, thiserror::Error)]
enum IndexError {
    #[error(transparent)]
    Failed(#[from] tantivy::TantivyError),
    #[error("work on the search index broke off")]
    BrokenOff(#[source] tokio::task::JoinError),
}

impl From<IndexError> for ProductError {
    fn from(error: IndexError) -> Self {
        Self::SearchFailed(Box::new(error))
    }
}

/// Does what takes a core for milliseconds off the threads that answer requests.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> tantivy::Result<T> + Send + 'static,
) -> Result<T, IndexError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(IndexError::BrokenOff)??)
}

impl Search {
    /// A search without an index, which [`follow`](Self::follow) builds.
    pub(crate) fn new(db: &Db, config: &Config, metrics: SearchMetrics) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        Self(Arc::new(Inner {
            db: db.clone(),
            poll: config.search_poll,
            metrics,
            index: watch::Sender::new(None),
            followed: Mutex::new(None),
            cores: Arc::new(Semaphore::new(cores)),
            queue: Semaphore::new(cores * QUEUE),
            patient_until: Instant::now() + config.search_ready,
        }))
    }

    /// Whether searches are answered, or the index takes so long that the rest must not wait.
    pub(crate) fn ready(&self) -> bool {
        self.0.index.borrow().is_some() || Instant::now() >= self.0.patient_until
    }

    /// Answers a question.
    pub(crate) async fn find(&self, question: Question) -> Result<Found, ProductError> {
        let _place = self
            .0
            .queue
            .try_acquire()
            .map_err(|_| ProductError::SearchBusy)?;
        let index = self.index().await?;
        let core = self.0.cores.clone().acquire_owned().await;
        let core = core.map_err(|_| ProductError::SearchBusy)?;
        let found = aside(move || {
            // Work that nobody waits for any more keeps its core until it is done.
            let _core = core;
            index.find(&question)
        });
        Ok(found.await?)
    }

    async fn index(&self) -> Result<ProductIndex, ProductError> {
        let mut index = self.0.index.subscribe();
        let built = index.wait_for(Option::is_some);
        match tokio::time::timeout(PATIENCE, built).await {
            Ok(Ok(index)) => index.clone().ok_or(ProductError::IndexMissing),
            _ => Err(ProductError::IndexMissing),
        }
    }
}
