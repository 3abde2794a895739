//! Takes expired carts away, a bounded number at a time.

use contracts::cart::CartId;
use kernel::{CustomerId, Id};
use platform::db::DbError;
use platform::tasks::Shutdown;
use uuid::Uuid;

use crate::{CartService, store};

/// Carts in one transaction.
const BATCH: i64 = 500;

impl CartService {
    /// Sweeps until `shutdown` begins.
    pub(crate) async fn sweep(self, shutdown: Shutdown) {
        while shutdown.sleep(self.config.sweep).await {
            let swept = match self.sweeping.hold().await {
                Ok(true) => self.sweep_now().await,
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = swept {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the sweep will go on");
            }
        }
    }

    /// Takes every cart away that has expired. What was reserved for them lapses by itself.
    pub(crate) async fn sweep_now(&self) -> Result<(), DbError> {
        loop {
            let now = self.db.sources().now();
            let swept: Vec<(CartId, Option<CustomerId>)> = self
                .db
                .write(move |tx| async move { store::sweep(&tx, now, BATCH).await })
                .await?;
            let more = i64::try_from(swept.len()).is_ok_and(|swept| swept == BATCH);
            let theirs = swept.iter().filter_map(|(cart, customer)| {
                customer.map(|customer| (customer.uuid(), cart.uuid()))
            });
            let (customers, carts): (Vec<Uuid>, Vec<Uuid>) = theirs.unzip();
            if !customers.is_empty() {
                self.db
                    .write(
                        move |tx| async move { store::forget_swept(&tx, &customers, &carts).await },
                    )
                    .await?;
            }
            if !more {
                return Ok(());
            }
        }
    }
}
