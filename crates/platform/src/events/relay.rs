//! Sends what the outbox holds.

use std::sync::Arc;
use std::time::Duration;

use super::outbox::{self, Queued};
use super::{Bus, inbox};
use crate::db::{Db, DbError};
use crate::lease::Lease;
use crate::metrics::{Metrics, RoleLabels};
use crate::tasks::Shutdown;

/// Events that are sent and marked together.
const BATCH: i64 = 200;
/// How long after a crash another instance takes over.
const LEASE: Duration = Duration::from_secs(5);
/// How often what could not be delivered is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often old rows are swept out.
const PRUNE: Duration = Duration::from_secs(600);

/// The only one who sends the events of a role. Every instance of the role has a relay; a lease
/// lets one of them work, which keeps events of one subject in order.
#[derive(Debug)]
pub struct Relay {
    db: Db,
    bus: Bus,
    lease: Lease,
    metrics: Metrics,
    poll: Duration,
    retention: Duration,
    /// One batch at a time, also when a test flushes beside the loop.
    turn: tokio::sync::Mutex<()>,
}

impl Relay {
    /// A relay for the outbox of `db`.
    pub fn new(
        db: Db,
        bus: Bus,
        metrics: Metrics,
        poll: Duration,
        retention: Duration,
    ) -> Arc<Self> {
        let lease = Lease::new(&db, "relay", LEASE);
        let turn = tokio::sync::Mutex::new(());
        Arc::new(Self {
            db,
            bus,
            lease,
            metrics,
            poll,
            retention,
            turn,
        })
    }

    /// Sends until `shutdown` begins, then once more, and lets go of the lease.
    pub async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let mut retry = tokio::time::interval(RETRY);
        let mut prune = tokio::time::interval(PRUNE);
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                () = self.db.outbox_filled() => self.logged(self.flush().await),
                () = tokio::time::sleep(self.poll) => self.logged(self.flush().await),
                _ = retry.tick() => self.logged(self.retry().await),
                _ = prune.tick() => self.logged(self.prune().await),
            }
        }
        self.logged(self.flush().await);
        if let Err(error) = self.lease.release().await {
            tracing::warn!(%error, "the lease of the relay lapses on its own");
        }
    }

    /// Sends everything that is not sent yet; returns how many events that were. Another instance
    /// may be the one that sends: then nothing is done here.
    pub async fn flush(&self) -> Result<usize, DbError> {
        let _turn = self.turn.lock().await;
        let mut sent = 0;
        loop {
            let events = outbox::unsent(&self.db.read().await?, BATCH).await?;
            self.measure(&events);
            if events.is_empty() || !self.lease.hold().await? {
                return Ok(sent);
            }
            let full = events.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
            sent += events.len();
            let ids: Vec<_> = events.iter().map(Queued::id).collect();
            self.bus.publish(events).await?;
            self.db
                .write(
                    move |tx| async move { outbox::mark_sent(&tx, &ids, tx.sources().now()).await },
                )
                .await?;
            if !full {
                self.measure(&[]);
                return Ok(sent);
            }
        }
    }

    /// Tries again what could not be delivered; returns how many events were tried. Another
    /// instance may be the one that sends: then nothing is done here.
    pub async fn retry(&self) -> Result<usize, DbError> {
        let _turn = self.turn.lock().await;
        if !self.bus.waits().await? || !self.lease.hold().await? {
            return Ok(0);
        }
        self.bus.retry().await
    }

    /// How many events were not sent yet.
    pub async fn pending(&self) -> Result<i64, DbError> {
        outbox::count_unsent(&self.db.read().await?).await
    }

    async fn prune(&self) -> Result<usize, DbError> {
        let before = self.db.sources().now().minus(self.retention);
        let work = move |tx: crate::db::Tx| async move {
            let pruned = outbox::prune(&tx, before).await?;
            inbox::prune(&tx, before).await?;
            crate::idempotency::prune(&tx, before).await?;
            Ok::<_, DbError>(pruned)
        };
        Ok(usize::try_from(self.db.write(work).await?).unwrap_or(usize::MAX))
    }

    fn measure(&self, unsent: &[Queued]) {
        let labels = RoleLabels {
            role: self.db.role(),
        };
        let pending = i64::try_from(unsent.len()).unwrap_or(i64::MAX);
        self.metrics
            .outbox_pending
            .get_or_create(&labels)
            .set(pending);
        let now = self.db.sources().now();
        let age = unsent
            .first()
            .map_or(0, |oldest| now.since(oldest.occurred_at()).as_millis());
        let age = i64::try_from(age).unwrap_or(i64::MAX);
        self.metrics.outbox_age.get_or_create(&labels).set(age);
    }

    fn logged(&self, result: Result<usize, DbError>) {
        if let Err(error) = result {
            let role = self.db.role();
            tracing::warn!(
                role,
                error = &error as &dyn std::error::Error,
                "the relay will retry"
            );
        }
    }
}
