//! Where events wait to be sent.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{Envelope, Event, EventId, Id, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::db::{Db, DbError, Tx};
use crate::{params, sql};

/// Announces `event` once the transaction is committed, and not at all if it is not.
pub async fn emit<E: Event>(tx: &Tx, event: &E) -> Result<(), DbError> {
    let sources = tx.sources();
    let id: EventId = sources.id();
    // A consumer runs in the context of its event, inside a transaction of many.
    let current = RequestContext::current();
    let trace = current
        .as_deref()
        .or_else(|| tx.context())
        .map(|context| context.trace);
    let data = serde_json::value::to_raw_value(event).expect("events are plain data");
    tx.run(
        sql!(
            "INSERT INTO outbox (id, event_type, subject, occurred_at, traceparent, data)
             VALUES ($1, $2, $3, $4, $5, $6)"
        ),
        params![
            id,
            E::TYPE,
            event.subject(),
            sources.now(),
            trace.map(|trace| trace.to_string()),
            data
        ],
    )
    .await?;
    tx.note_emitted();
    Ok(())
}

/// An event of the outbox.
#[derive(Debug)]
pub(super) struct Queued {
    id: EventId,
    event_type: String,
    subject: String,
    occurred_at: Timestamp,
    traceparent: Option<String>,
    data: Box<RawValue>,
}

crate::from_row!(Queued {
    id,
    event_type,
    subject,
    occurred_at,
    traceparent,
    data
});

impl Queued {
    pub(super) fn id(&self) -> Uuid {
        self.id.uuid()
    }

    pub(super) fn event_type(&self) -> &str {
        &self.event_type
    }

    pub(super) fn occurred_at(&self) -> Timestamp {
        self.occurred_at
    }

    /// The event as it travels.
    pub(super) fn envelope(&self, role: &str) -> Envelope {
        Envelope {
            specversion: "1.0".into(),
            id: self.id,
            source: format!("/rialto/{role}").into(),
            event_type: self.event_type.clone().into(),
            subject: self.subject.clone(),
            time: self.occurred_at,
            datacontenttype: "application/json".into(),
            traceparent: self.traceparent.clone(),
            data: self.data.clone(),
        }
    }
}

/// The oldest events that were not sent yet. Never "after the last one sent": a transaction that
/// began earlier may commit later.
pub(super) async fn unsent(tx: &Tx, limit: i64) -> Result<Vec<Queued>, DbError> {
    tx.all(
        sql!(
            "SELECT id, event_type, subject, occurred_at, traceparent, data
             FROM outbox WHERE sent_at IS NULL ORDER BY seq LIMIT $1"
        ),
        params![limit],
    )
    .await
}

pub(super) async fn mark_sent(tx: &Tx, ids: &[Uuid], now: Timestamp) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "UPDATE outbox SET sent_at = $1 WHERE id IN rarray($2)",
            postgres: "UPDATE outbox SET sent_at = $1 WHERE id = ANY($2)"
        ),
        &[kernel::Scalar::Time(now), kernel::Scalar::Uuids(ids.into())],
    )
    .await
}

/// How many events were not sent yet.
pub(super) async fn count_unsent(tx: &Tx) -> Result<i64, DbError> {
    let row = tx.one::<(i64,)>(
        sql!("SELECT COUNT(*) FROM outbox WHERE sent_at IS NULL"),
        &[],
    );
    Ok(row.await?.map_or(0, |row| row.0))
}

/// How many events wait for each destination that could not take them.
async fn backlog_counts(tx: &Tx) -> Result<Vec<(String, i64)>, DbError> {
    let count = sql!(
        "SELECT destination, COUNT(*) FROM outbox_backlog GROUP BY destination ORDER BY destination"
    );
    tx.all(count, &[]).await
}

async fn oldest_unsent(tx: &Tx) -> Result<Option<Timestamp>, DbError> {
    let oldest = sql!("SELECT occurred_at FROM outbox WHERE sent_at IS NULL ORDER BY seq LIMIT 1");
    let row: Option<(Timestamp,)> = tx.one(oldest, &[]).await?;
    Ok(row.map(|row| row.0))
}

/// What an outbox holds, as `rialto events list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxState {
    /// Events that were not sent yet.
    pub pending: i64,
    /// When the oldest of them happened.
    pub oldest_at: Option<Timestamp>,
    /// Events that were sent, and that a role could not take yet, by role.
    pub backlog: BTreeMap<String, i64>,
}

/// What the outbox of the role of `db` holds.
pub async fn outbox_state(db: &Db) -> Result<OutboxState, DbError> {
    let tx = db.read().await?;
    Ok(OutboxState {
        pending: count_unsent(&tx).await?,
        oldest_at: oldest_unsent(&tx).await?,
        backlog: backlog_counts(&tx).await?.into_iter().collect(),
    })
}

/// Puts events behind what `destination` could not take yet.
pub(super) async fn put_back(tx: &Tx, destination: &str, ids: &[Uuid]) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "INSERT INTO outbox_backlog (destination, seq, id)
                     SELECT $1, seq, id FROM outbox WHERE id IN rarray($2) ON CONFLICT DO NOTHING",
            postgres: "INSERT INTO outbox_backlog (destination, seq, id)
                       SELECT $1, seq, id FROM outbox WHERE id = ANY($2) ON CONFLICT DO NOTHING"
        ),
        &[
            kernel::Scalar::Text(destination.into()),
            kernel::Scalar::Uuids(ids.into()),
        ],
    )
    .await
}

/// What `destination` could not take yet, the oldest first.
pub(super) async fn backlog(
    tx: &Tx,
    destination: &str,
    limit: i64,
) -> Result<Vec<Queued>, DbError> {
    tx.all(
        sql!(
            "SELECT o.id, o.event_type, o.subject, o.occurred_at, o.traceparent, o.data
             FROM outbox_backlog b JOIN outbox o ON o.id = b.id
             WHERE b.destination = $1 ORDER BY b.seq LIMIT $2"
        ),
        params![destination, limit],
    )
    .await
}

/// Which of the `destinations` could not take something yet. Always read: another instance may have
/// put something back since this one looked last.
pub(super) async fn backlogged(
    tx: &Tx,
    destinations: &[&'static str],
) -> Result<BTreeSet<String>, DbError> {
    let names = serde_json::to_string(destinations).expect("names are plain data");
    let rows: Vec<(String,)> = tx
        .all(
            sql!(
                sqlite: "SELECT value FROM json_each($1)
                         WHERE EXISTS (SELECT 1 FROM outbox_backlog WHERE destination = value)",
                postgres: "SELECT value FROM json_array_elements_text($1) AS names (value)
                           WHERE EXISTS (SELECT 1 FROM outbox_backlog WHERE destination = value)"
            ),
            &[kernel::Scalar::Json(names.into())],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

pub(super) async fn forget_backlog(
    tx: &Tx,
    destination: &str,
    ids: &[Uuid],
) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "DELETE FROM outbox_backlog WHERE destination = $1 AND id IN rarray($2)",
            postgres: "DELETE FROM outbox_backlog WHERE destination = $1 AND id = ANY($2)"
        ),
        &[
            kernel::Scalar::Text(destination.into()),
            kernel::Scalar::Uuids(ids.into()),
        ],
    )
    .await
}

/// Forgets what was sent before `before` and nobody waits for any more, a few at a time.
pub(super) async fn prune(tx: &Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            "DELETE FROM outbox WHERE seq IN (
                 SELECT seq FROM outbox o WHERE sent_at < $1
                 AND NOT EXISTS (SELECT 1 FROM outbox_backlog b WHERE b.id = o.id)
                 LIMIT 1000)"
        ),
        params![before],
    )
    .await
}
