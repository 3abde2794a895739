//! Electing one instance among those that share a database.

use std::time::Duration;

use kernel::Timestamp;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::db::{Db, DbError};
use crate::{params, sql};

/// Held by one instance at a time; it lapses when its holder does. Taking it costs a statement,
/// keeping it costs one for each half of its length in which there is work, and none otherwise.
#[derive(Debug)]
pub struct Lease {
    db: Db,
    name: &'static str,
    holder: Uuid,
    length: Duration,
    until: Mutex<Option<Timestamp>>,
}

impl Lease {
    /// A lease that this instance does not hold yet.
    pub fn new(db: &Db, name: &'static str, length: Duration) -> Self {
        let holder = db.sources().uuid();
        Self {
            db: db.clone(),
            name,
            holder,
            length,
            until: Mutex::default(),
        }
    }

    /// Takes or keeps the lease; `false` if another instance holds it.
    pub async fn hold(&self) -> Result<bool, DbError> {
        let now = self.db.sources().now();
        let safe = now.plus(self.length / 2);
        if self.until.lock().is_some_and(|until| until > safe) {
            return Ok(true);
        }
        let (name, holder, until) = (self.name, self.holder, now.plus(self.length));
        let taken = self.db.write(move |tx| async move {
            tx.exec(
                sql!(
                    "INSERT INTO leases (name, holder, expires_at) VALUES ($1, $2, $3)
                     ON CONFLICT (name) DO UPDATE SET holder = $2, expires_at = $3
                     WHERE leases.holder = $2 OR leases.expires_at <= $4"
                ),
                params![name, holder, until, now],
            )
            .await
        });
        let held = taken.await.map(|rows: u64| rows > 0)?;
        *self.until.lock() = held.then_some(until);
        Ok(held)
    }

    /// Lets another instance have it at once.
    pub async fn release(&self) -> Result<(), DbError> {
        if self.until.lock().take().is_none() {
            return Ok(());
        }
        let (name, holder) = (self.name, self.holder);
        self.db
            .write(move |tx| async move {
                let delete = sql!("DELETE FROM leases WHERE name = $1 AND holder = $2");
                tx.run(delete, params![name, holder]).await
            })
            .await
    }
}
