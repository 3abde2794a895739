//! Events that failed: waiting for another attempt, or parked as dead letters.

use std::collections::HashSet;
use std::time::Duration;

use kernel::{Envelope, EventId, Id, Json, Scalar, Timestamp};
use serde::Serialize;
use uuid::Uuid;

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

/// An event that is to be tried again.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) consumer: String,
    pub(super) envelope: Json<Envelope>,
    pub(super) attempts: u32,
}

crate::from_row!(Due {
    consumer,
    envelope,
    attempts
});

/// The events of `consumers` whose time has come. Only the first of each line: what came later must
/// not overtake it, however long it waits.
pub(super) async fn due(tx: &Tx, now: Timestamp, consumers: &[&str]) -> Result<Vec<Due>, DbError> {
    tx.all(
        sql!(
            sqlite: "SELECT consumer, envelope, attempts FROM event_failures f
                     WHERE parked_at IS NULL AND next_attempt_at <= $1
                       AND consumer IN (SELECT value FROM json_each($2))
                       AND NOT EXISTS (
                           SELECT 1 FROM event_failures e
                           WHERE e.parked_at IS NULL AND e.consumer = f.consumer
                             AND e.subject = f.subject AND e.place < f.place)
                     ORDER BY place LIMIT 100",
            postgres: "SELECT consumer, envelope, attempts FROM event_failures f
                       WHERE parked_at IS NULL AND next_attempt_at <= $1
                         AND consumer IN (SELECT json_array_elements_text($2))
                         AND NOT EXISTS (
                             SELECT 1 FROM event_failures e
                             WHERE e.parked_at IS NULL AND e.consumer = f.consumer
                               AND e.subject = f.subject AND e.place < f.place)
                       ORDER BY place LIMIT 100"
        ),
        &[Scalar::Time(now), json(&consumers)],
    )
    .await
}

/// What is kept already of events that arrive.
#[derive(Debug)]
pub(super) struct Kept {
    /// These themselves, waiting or parked.
    pub(super) ids: HashSet<Uuid>,
    /// The subjects that have a line: what comes later goes behind.
    pub(super) lines: HashSet<String>,
}

/// Looks whether any of `events`, or a line of their subjects, is there already.
pub(super) async fn kept(tx: &Tx, consumer: &str, events: &[&Envelope]) -> Result<Kept, DbError> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.id.uuid()).collect();
    let subjects: HashSet<&str> = events.iter().map(|event| event.subject.as_str()).collect();
    let rows: Vec<(Option<Uuid>, Option<String>)> = tx
        .all(
            sql!(
                sqlite: "SELECT event_id, NULL FROM event_failures
                         WHERE consumer = $1 AND event_id IN rarray($2)
                         UNION
                         SELECT NULL, subject FROM event_failures
                         WHERE consumer = $1 AND parked_at IS NULL
                           AND subject IN (SELECT value FROM json_each($3))",
                postgres: "SELECT event_id, NULL::text FROM event_failures
                           WHERE consumer = $1 AND event_id = ANY($2)
                           UNION
                           SELECT NULL::uuid, subject FROM event_failures
                           WHERE consumer = $1 AND parked_at IS NULL
                             AND subject IN (SELECT json_array_elements_text($3))"
            ),
            &[
                Scalar::Text(consumer.into()),
                Scalar::Uuids(ids.into()),
                json(&subjects),
            ],
        )
        .await?;
    let (ids, lines): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    Ok(Kept {
        ids: ids.into_iter().flatten().collect(),
        lines: lines.into_iter().flatten().collect(),
    })
}

fn json(texts: &impl Serialize) -> Scalar<'static> {
    let json = serde_json::to_string(texts).expect("texts are plain data");
    Scalar::Json(json.into())
}

/// How an attempt at an event has failed.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    /// Attempts so far; none if it only waits behind another event.
    pub(super) attempts: u32,
    pub(super) error: String,
    /// No further attempts.
    pub(super) park: bool,
}

impl Failed {
    /// Not tried at all: an earlier event of its subject comes first.
    pub(super) fn behind() -> Self {
        Self {
            attempts: 0,
            error: String::from("waits behind an earlier event"),
            park: false,
        }
    }

    /// When it is tried again, once it is the first of its line.
    fn next(&self, tx: &Tx) -> Timestamp {
        let now = tx.sources().now();
        match self.attempts {
            0 => now,
            attempts => now.plus(delay(attempts, tx.sources().random::<1>()[0])),
        }
    }
}

/// Keeps an event, at the end of the line of its subject.
pub(super) async fn keep(
    tx: &Tx,
    consumer: &str,
    event: &Envelope,
    failed: &Failed,
) -> Result<(), DbError> {
    let now = tx.sources().now();
    let envelope = serde_json::value::to_raw_value(event).expect("envelopes are plain data");
    tx.run(
        sql!(
            "INSERT INTO event_failures (consumer, event_id, subject, envelope, attempts, error,
                                         failed_at, next_attempt_at, parked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING"
        ),
        params![
            consumer,
            event.id,
            event.subject,
            envelope,
            failed.attempts,
            failed.error,
            now,
            failed.next(tx),
            failed.park.then_some(now)
        ],
    )
    .await
}

/// Notes that another attempt at an event that is kept has failed.
pub(super) async fn note(
    tx: &Tx,
    consumer: &str,
    id: EventId,
    failed: &Failed,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "UPDATE event_failures
             SET attempts = $3, error = $4, next_attempt_at = $5, parked_at = $6
             WHERE consumer = $1 AND event_id = $2"
        ),
        params![
            consumer,
            id,
            failed.attempts,
            failed.error,
            failed.next(tx),
            failed.park.then(|| tx.sources().now())
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
    /// How often it was tried; zero if it waits behind an earlier event of its subject.
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
             FROM event_failures ORDER BY place LIMIT 1000"
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
                "UPDATE event_failures SET parked_at = NULL, attempts = 0, next_attempt_at = $1
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
