//! Lets go of reservations that have lapsed: abandoned carts, orders that a crash left behind.

use std::collections::BTreeSet;

use platform::db::DbError;
use platform::tasks::Shutdown;

use crate::ProductService;
use crate::store::book::{self, Wanted};
use crate::store::stock;

/// Reservations that one transaction lets go of.
const BATCH: i64 = 100;

impl ProductService {
    /// Sweeps until `shutdown` begins.
    pub(crate) async fn sweep(self, shutdown: Shutdown) {
        while shutdown.sleep(self.config.sweep).await {
            if let Err(error) = self.release_lapsed().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "lapsed reservations could not be let go of yet");
            }
        }
    }

    /// Lets go of everything that has lapsed, some at a time; returns how many
    /// reservations there were.
    pub(crate) async fn release_lapsed(&self) -> Result<usize, DbError> {
        let mut released = 0;
        loop {
            let now = self.db.sources().now();
            let lapsed = stock::lapsed_holders(&self.db.read().await?, now, BATCH).await?;
            if lapsed.is_empty() || !self.sweeping.hold().await? {
                return Ok(released);
            }
            let more = i64::try_from(lapsed.len()).is_ok_and(|found| found == BATCH);
            released += lapsed.len();
            let holders: BTreeSet<_> = lapsed.into_iter().collect();
            let release = self.db.write(move |tx| async move {
                let wanted = Wanted {
                    holders,
                    ..Wanted::default()
                };
                let mut open = book::open(&tx, &wanted).await?;
                for holder in &wanted.holders {
                    open.book.expire(*holder, now);
                }
                book::save(&tx, open).await
            });
            release.await?;
            if !more {
                return Ok(released);
            }
        }
    }
}
