//! Events that failed: waiting for another attempt, or parked as dead letters.

use std::collections::HashSet;
use std::time::Duration;

use kernel::{Envelope, EventId, Json, Timestamp};
use serde::Serialize;

use crate::db::{Db, DbError, Tx};
use crate::{params, sql};

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// How long to wait before attempt number `attempts + 1`: twice as long each time, at most an
/// hour, give or take a quarter, so that what failed together is not tried together.
fn delay(attempts: u32, chance: u8) -> Duration {
    let doubled = FIRST_DELAY.saturating_mul(1 << attempts.saturating_sub(1).min(12));
    doubled.min(LONGEST_DELAY) * (192 + u32::from(chance) / 2) / 256
}

#[derive(Debug)]
pub(super) struct Due {
    pub(super) consumer: String,
    pub(super) subject: String,
    pub(super) envelope: Json<Envelope>,
    pub(super) attempts: u32,
}

crate::from_row!(Due {
    consumer,
    subject,
    envelope,
    attempts
});

/// Failures whose time has come, the earliest first.
pub(super) async fn due(tx: &Tx, now: Timestamp) -> Result<Vec<Due>, DbError> {
    tx.all(
        sql!(
            "SELECT consumer, subject, envelope, attempts FROM event_failures
             WHERE parked_at IS NULL AND next_attempt_at <= $1
             ORDER BY failed_at, event_id LIMIT 100"
        ),
        params![now],
    )
    .await
}

/// The subjects that wait: a later event of one must not overtake an earlier one.
pub(super) async fn waiting_subjects(tx: &Tx, consumer: &str) -> Result<HashSet<String>, DbError> {
    let rows: Vec<(String,)> = tx
        .all(
            sql!("SELECT subject FROM event_failures WHERE consumer = $1 AND parked_at IS NULL"),
            params![consumer],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Keeps an event that failed. The time of its first failure is its place in the order.
pub(super) async fn keep(
    tx: &Tx,
    consumer: &str,
    event: &Envelope,
    attempts: u32,
    error: &str,
    park: bool,
) -> Result<(), DbError> {
    let now = tx.sources().now();
    let next = now.plus(delay(attempts, tx.sources().random::<1>()[0]));
    let parked_at = park.then_some(now);
    let envelope = serde_json::value::to_raw_value(event).expect("envelopes are plain data");
    tx.run(
        sql!(
            "INSERT INTO event_failures (consumer, event_id, subject, envelope, attempts, error,
                                         failed_at, next_attempt_at, parked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (consumer, event_id) DO UPDATE
             SET attempts = $5, error = $6, next_attempt_at = $8, parked_at = $9"
        ),
        params![
            consumer,
            event.id,
            event.subject,
            envelope,
            attempts,
            error,
            now,
            next,
            parked_at
        ],
    )
    .await
}

pub(super) async fn forget(tx: &Tx, consumer: &str, id: EventId) -> Result<(), DbError> {
    tx.run(
        sql!("DELETE FROM event_failures WHERE consumer = $1 AND event_id = $2"),
        params![consumer, id],
    )
    .await
}

kernel::text_enum! {
    /// Where a failed event stands.
    pub enum FailureState {
        /// It will be tried again.
        Waiting = "waiting",
        /// It waits for a person.
        Parked = "parked",
    }
}

/// A failed event, as `rialto events list` shows it.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The consumer that failed.
    pub consumer: String,
    /// The event.
    pub event_id: EventId,
    /// What it is about.
    pub subject: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The last error.
    pub error: String,
    /// When it failed first.
    pub failed_at: Timestamp,
    /// When it will be tried again, unless it is parked.
    pub next_attempt_at: Timestamp,
    /// When it was given up.
    pub parked_at: Option<Timestamp>,
}

crate::from_row!(Failure {
    consumer,
    event_id,
    subject,
    attempts,
    error,
    failed_at,
    next_attempt_at,
    parked_at,
});

impl Failure {
    /// Where it stands.
    pub fn state(&self) -> FailureState {
        if self.parked_at.is_some() {
            FailureState::Parked
        } else {
            FailureState::Waiting
        }
    }
}

/// The events that failed in the role of `db`, the oldest first.
pub async fn failures(db: &Db) -> Result<Vec<Failure>, DbError> {
    let tx = db.read().await?;
    tx.all(
        sql!(
            "SELECT consumer, event_id, subject, attempts, error, failed_at, next_attempt_at,
                    parked_at
             FROM event_failures ORDER BY failed_at, event_id LIMIT 1000"
        ),
        &[],
    )
    .await
}

/// Lets failed events be tried again at once: one, or every one. Returns how many.
pub async fn replay(db: &Db, only: Option<EventId>) -> Result<u64, DbError> {
    db.write(move |tx| async move {
        tx.exec(
            sql!(
                "UPDATE event_failures SET parked_at = NULL, attempts = 1, next_attempt_at = $1
                 WHERE CAST($2 AS uuid) IS NULL OR event_id = $2"
            ),
            params![tx.sources().now(), only],
        )
        .await
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_an_hour() {
        assert_eq!(delay(1, 128), Duration::from_secs(1));
        assert_eq!(delay(4, 128), Duration::from_secs(8));
        assert_eq!(delay(40, 128), LONGEST_DELAY);
        assert!(delay(4, 0) >= Duration::from_secs(6) && delay(4, 255) <= Duration::from_secs(10));
    }
}
