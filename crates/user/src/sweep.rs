//! What happens in the background: keys are read again, what has expired is forgotten.

use std::time::Duration;

use platform::db::{DbError, Tx};
use platform::lease::Lease;
use platform::tasks::{Shutdown, TaskGroup};

use crate::{UserService, keys, store};

/// How soon an instance notices a key that another one, or the command line, has added.
const RELOAD: Duration = Duration::from_secs(30);
/// How often what has expired is forgotten.
const SWEEP: Duration = Duration::from_secs(300);
/// How many rows of a table go at once: others want to write as well.
const BATCH: i64 = 500;
/// How long after a crash another instance sweeps.
const LEASE: Duration = Duration::from_secs(60);

impl UserService {
    /// Starts what it does in the background.
    pub fn start(&self, tasks: &TaskGroup) {
        let shutdown = tasks.shutdown();
        tasks.spawn("user keys", self.clone().reload_keys(shutdown.clone()));
        tasks.spawn("user sweep", self.clone().keep_swept(shutdown.clone()));
    }

    /// Does at once what the background would do by and by; for tests.
    pub async fn settle(&self) -> Result<(), DbError> {
        self.keys.reload().await?;
        self.sweep().await
    }

    async fn reload_keys(self, shutdown: Shutdown) {
        while shutdown.sleep(RELOAD).await {
            if let Err(error) = self.keys.reload().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the signing keys of before are used on");
            }
        }
    }

    async fn keep_swept(self, shutdown: Shutdown) {
        let lease = Lease::new(&self.db, "user-sweep", LEASE);
        while shutdown.sleep(SWEEP).await {
            let swept = async {
                if lease.hold().await? {
                    self.sweep().await
                } else {
                    Ok(())
                }
            };
            if let Err(error) = swept.await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "what has expired is forgotten later");
            }
        }
    }

    /// Forgets sessions and tokens that have expired, and keys whose tokens have.
    async fn sweep(&self) -> Result<(), DbError> {
        loop {
            let ttl = self.config.access_ttl;
            let batch = move |tx: Tx| async move {
                let now = tx.sources().now();
                let sessions = store::sweep_sessions(&tx, now, BATCH).await?;
                let tokens = store::sweep_mail_tokens(&tx, now, BATCH).await?;
                keys::retire(&tx, ttl).await?;
                Ok::<_, DbError>(sessions.max(tokens))
            };
            if self.db.write(batch).await? < BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }
}
