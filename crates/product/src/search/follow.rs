//! Keeps the index up with the catalogue.
//!
//! An index is built from all products, and then follows the change log: whatever a transaction
//! has changed is taken over once the transaction is committed, in whichever order that happens
//! ([`Position`]). What was taken over is remembered only in memory, with the index. If that fails,
//! it is thrown away, and the next one is built while the last one still answers.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use contracts::product::{CategoryId, ProductId};
use kernel::Id;
use platform::db::{DbError, Tx};
use platform::tasks::Shutdown;
use uuid::Uuid;

use super::entry::Entry;
use super::index::ProductIndex;
use super::{IndexError, Search, aside};
use crate::model::ProductStatus;
use crate::store::search::{self, Change, Indexable, Position};

/// Products that are read together. Few enough to be read where requests are answered.
const BATCH: i64 = 200;
/// How long changes are gathered that come one after another: each publication costs some
/// milliseconds, however many there are.
const GATHER: Duration = Duration::from_millis(50);

/// An index, and up to where it has followed the change log.
#[derive(Debug)]
pub(super) struct Followed {
    index: ProductIndex,
    position: Position,
}

/// Why the index could not be brought up to date.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl From<tantivy::TantivyError> for FollowError {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::Index(error.into())
    }
}

impl Search {
    /// Keeps the index up until `shutdown` begins.
    pub(crate) async fn follow(self, shutdown: Shutdown) {
        let mut changes = self.0.db.changes();
        loop {
            changes.mark_unchanged();
            tokio::select! {
                () = shutdown.requested() => return,
                caught_up = self.catch_up() => {
                    if let Err(error) = caught_up {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "the search could not be brought up to date yet");
                    }
                }
            }
            if !shutdown.sleep(GATHER).await {
                return;
            }
            tokio::select! {
                () = shutdown.requested() => return,
                () = tokio::time::sleep(self.0.poll) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Takes over what has been committed, or builds the index if there is none.
    pub(crate) async fn catch_up(&self) -> Result<(), DbError> {
        let mut followed = self.0.followed.lock().await;
        let done = match followed.as_mut() {
            Some(followed) => self.take_over(followed).await,
            None => self.build().await.map(|built| *followed = Some(built)),
        };
        match done {
            Ok(()) => Ok(()),
            Err(FollowError::Db(error)) => Err(error),
            Err(FollowError::Index(error)) => {
                *followed = None;
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the search index failed and is built anew");
                Ok(())
            }
        }
    }

    async fn build(&self) -> Result<Followed, FollowError> {
        let begun = Instant::now();
        let tx = self.0.db.read().await?;
        // Before the products: what changes while they are read is taken over afterwards.
        let position = search::position(&tx).await?;
        let index = ProductIndex::empty()?;
        let mut writing = index.write()?;
        let mut batch = Batch::after(&tx, Uuid::nil()).await?;
        while let Some(last) = batch.products.last() {
            let after = last.id.uuid();
            // The next ones are read while these are taken in.
            let written = aside(move || {
                writing.add(&batch.entries())?;
                Ok(writing)
            });
            let (written, next) = tokio::join!(written, Batch::after(&tx, after));
            (writing, batch) = (written?, next?);
        }
        let published = aside(move || {
            writing.publish()?;
            Ok(writing)
        });
        writing = published.await?;
        let documents = index.searcher().num_docs();
        self.0.index.send_replace(Some(index.clone()));
        let took = begun.elapsed();
        self.0.metrics.rebuild.observe(took.as_secs_f64());
        self.0.metrics.documents.set(gauge(documents));
        tracing::info!(documents, ?took, "the search index was built");
        aside(move || writing.finish()).await?;
        let mut followed = Followed { index, position };
        self.take_over(&mut followed).await?;
        Ok(followed)
    }

    async fn take_over(&self, followed: &mut Followed) -> Result<(), FollowError> {
        let tx = self.0.db.read().await?;
        let since = &followed.position;
        let mut changes = search::changes(&tx, since, None, BATCH).await?;
        let Some(first) = changes.first() else {
            self.0.metrics.lag.set(0);
            return Ok(());
        };
        // What is committed while the other batches are read is read again next time.
        let position = first.read_at.clone();
        self.note_lag(&changes);
        let mut writing = followed.index.write()?;
        while let Some(last) = changes.last() {
            let ids: Vec<ProductId> = changes.iter().map(|change| change.product_id).collect();
            let batch = Batch::of(&tx, &ids).await?;
            let next = search::changes(&tx, since, Some(last), BATCH).await?;
            let written = aside(move || {
                let ids: Vec<Uuid> = ids.into_iter().map(Id::uuid).collect();
                writing.remove(&ids)?;
                writing.add(&batch.entries())?;
                Ok(writing)
            });
            writing = written.await?;
            changes = next;
        }
        let publish = aside(move || {
            writing.publish()?;
            writing.finish()
        });
        publish.await?;
        followed.position = position;
        let metrics = &self.0.metrics;
        metrics.lag.set(0);
        let documents = followed.index.searcher().num_docs();
        metrics.documents.set(gauge(documents));
        Ok(())
    }

    fn note_lag(&self, changes: &[Change]) {
        let oldest = changes.iter().map(|change| change.changed_at).min();
        let lag = oldest.map_or(0, |oldest| {
            self.0.db.sources().now().since(oldest).as_millis()
        });
        self.0.metrics.lag.set(gauge(lag));
    }
}

fn gauge(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Products in the shop, and what each lies in and below.
struct Batch {
    products: Vec<Indexable>,
    categories: HashMap<ProductId, Vec<(CategoryId, String)>>,
}

impl Batch {
    /// The next ones in the order of their ids.
    async fn after(tx: &Tx, last: Uuid) -> Result<Self, DbError> {
        Self::with_categories(tx, search::active_after(tx, last, BATCH).await?).await
    }

    /// Those of them that are in the shop.
    async fn of(tx: &Tx, ids: &[ProductId]) -> Result<Self, DbError> {
        let mut products = search::by_ids(tx, ids).await?;
        products.retain(|product| product.status == ProductStatus::Active);
        Self::with_categories(tx, products).await
    }

    async fn with_categories(tx: &Tx, products: Vec<Indexable>) -> Result<Self, DbError> {
        let ids: Vec<ProductId> = products.iter().map(|product| product.id).collect();
        let mut categories: HashMap<_, Vec<_>> = HashMap::new();
        for (product, category, name) in search::categories_above(tx, &ids).await? {
            let above = categories.entry(product).or_default();
            above.push((category, name));
        }
        Ok(Self {
            products,
            categories,
        })
    }

    /// The entries of the products. One that cannot be read is left out; it is named in the log.
    fn entries(&self) -> Vec<Entry> {
        let entry = |product: &Indexable| {
            let categories = self.categories.get(&product.id);
            let entry = Entry::of(product, categories.map_or(&[], Vec::as_slice));
            let log = |error: &serde_json::Error| {
                let error = error as &dyn std::error::Error;
                tracing::error!(error, product.id = %product.id, "a stored product cannot be read");
            };
            entry.inspect_err(log).ok()
        };
        self.products.iter().filter_map(entry).collect()
    }
}
