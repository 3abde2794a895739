//! Handles the events that reach a role: each once for each consumer, in the order of its subject.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Envelope, EventId, Id, Kind, Problem, Scalar, Timestamp};
use uuid::Uuid;

use super::retry::{self, Due, Failed};
use super::{Consumer, EventSink};
use crate::db::{Db, DbError, Tx};
use crate::lease::Lease;
use crate::metrics::{ConsumerLabels, ListenerLabels, Metrics};
use crate::tasks::Shutdown;
use crate::{params, sql};

/// How failures are treated.
#[derive(Debug, Clone, Copy)]
pub struct InboxSettings {
    /// Attempts at an event before it is parked.
    pub attempts: u32,
    /// How often due failures are looked for.
    pub poll: Duration,
}

/// The consumers of one role. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    consumers: Vec<Consumer>,
    metrics: Metrics,
    settings: InboxSettings,
    lease: Lease,
}

/// What became of events at one consumer, and when they happened; for the metrics.
type Outcomes = Vec<(&'static str, Timestamp)>;

impl Inbox {
    /// An inbox that remembers what was handled in `db`, the database of the consumers.
    pub fn new(
        db: Db,
        consumers: Vec<Consumer>,
        metrics: Metrics,
        settings: InboxSettings,
    ) -> Self {
        let lease = Lease::new(&db, "event-retries", Duration::from_secs(10));
        Self(Arc::new(Inner {
            db,
            consumers,
            metrics,
            settings,
            lease,
        }))
    }

    /// Tries failed events again when they are due, until `shutdown` begins.
    pub async fn run(self, shutdown: Shutdown) {
        while shutdown.sleep(self.0.settings.poll).await {
            if let Err(error) = self.retry_due().await {
                let role = self.0.db.role();
                tracing::warn!(
                    role,
                    error = &error as &dyn std::error::Error,
                    "retries wait"
                );
            }
        }
    }

    /// Tries every failed event that is due, and what has waited behind those that succeed;
    /// returns how many were tried.
    pub async fn retry_due(&self) -> Result<usize, DbError> {
        let consumers: Vec<&str> = self.0.consumers.iter().map(|c| c.name).collect();
        let mut tried = 0;
        loop {
            let now = self.0.db.sources().now();
            let due = retry::due(&self.0.db.read().await?, now, &consumers).await?;
            if due.is_empty() || !self.0.lease.hold().await? {
                return Ok(tried);
            }
            tried += due.len();
            let mut moved = false;
            for failure in due {
                moved |= self.try_again(failure).await?;
            }
            if !moved {
                return Ok(tried);
            }
        }
    }

    /// Optimistic: all events of a consumer in one transaction. `Err` undoes it all. Consumers do
    /// not share one: what one has locked must not be held while another locks something else.
    async fn handle_together(
        &self,
        consumer: &Consumer,
        events: Arc<Vec<Envelope>>,
    ) -> Result<Outcomes, Problem> {
        let consumer = consumer.clone();
        let work = move |tx: Tx| async move {
            let mut outcomes = Vec::new();
            let events: Vec<&Envelope> = events.iter().collect();
            handle_all(&tx, &consumer, &events, &mut outcomes).await?;
            Ok(outcomes)
        };
        self.0
            .db
            .write(move |tx| async move { work(tx).await.map_err(Undone) })
            .await
            .map_err(|Undone(problem)| problem)
    }

    /// One by one: what fails is kept for another attempt, and harms nothing but what comes after
    /// it in its line. Fails only if an event could not even be kept.
    async fn handle_apart(&self, consumer: &Consumer, events: &[Envelope]) -> Result<(), DbError> {
        for event in events {
            let alone = Arc::new(vec![event.clone()]);
            match self.handle_together(consumer, alone).await {
                Ok(outcomes) => self.measure(consumer.name, &outcomes),
                Err(problem) => {
                    let failed = self.failed(consumer.name, event.id, 1, &problem);
                    let (name, event) = (consumer.name, event.clone());
                    let keep =
                        move |tx: Tx| async move { retry::keep(&tx, name, &event, &failed).await };
                    self.0.db.write(keep).await?;
                }
            }
        }
        Ok(())
    }

    /// Tries an event again that is the first of its line; returns whether the line moves on.
    async fn try_again(&self, failure: Due) -> Result<bool, DbError> {
        let consumer = self.0.consumers.iter().find(|c| c.name == failure.consumer);
        let Some(consumer) = consumer.cloned() else {
            return Ok(false);
        };
        let (name, event) = (consumer.name, failure.envelope.0);
        let (id, occurred_at) = (event.id, event.time);
        let handle = move |tx: Tx| async move {
            let fresh = !claim(&tx, consumer.name, &[id.uuid()]).await?.is_empty();
            if fresh {
                consumer.handle(&tx, &[&event]).await.map_err(Undone)?;
            }
            retry::forget(&tx, consumer.name, id).await?;
            Ok::<_, Undone>(if fresh { "handled" } else { "repeated" })
        };
        match self.0.db.write(handle).await {
            Ok(outcome) => {
                self.measure(name, &[(outcome, occurred_at)]);
                Ok(true)
            }
            Err(Undone(problem)) => {
                let failed = self.failed(name, id, failure.attempts + 1, &problem);
                let parked = failed.park;
                let note = move |tx: Tx| async move { retry::note(&tx, name, id, &failed).await };
                self.0.db.write(note).await.map(|()| parked)
            }
        }
    }

    /// Logs and measures that an attempt has failed.
    fn failed(
        &self,
        consumer: &'static str,
        id: EventId,
        attempts: u32,
        problem: &Problem,
    ) -> Failed {
        let hopeless = problem.kind() == Kind::Malformed;
        let park = hopeless || attempts >= self.0.settings.attempts;
        let error = match std::error::Error::source(problem) {
            Some(cause) => format!("{problem}: {cause}"),
            None => problem.to_string(),
        };
        if park {
            tracing::error!(consumer, event.id = %id, error, "an event is parked");
        } else {
            tracing::warn!(consumer, event.id = %id, error, "an event failed");
        }
        self.count(consumer, if park { "parked" } else { "failed" });
        Failed {
            attempts,
            error,
            park,
        }
    }

    fn measure(&self, consumer: &'static str, outcomes: &[(&'static str, Timestamp)]) {
        let now = self.0.db.sources().now();
        let labels = ListenerLabels { consumer };
        for &(outcome, occurred_at) in outcomes {
            self.count(consumer, outcome);
            if outcome == "handled" {
                let lag = now.since(occurred_at).as_secs_f64();
                self.0.metrics.event_lag.get_or_create(&labels).observe(lag);
            }
        }
    }

    fn count(&self, consumer: &'static str, outcome: &'static str) {
        let labels = ConsumerLabels { consumer, outcome };
        self.0.metrics.events.get_or_create(&labels).inc();
    }
}

impl EventSink for Inbox {
    fn deliver(
        &self,
        events: Vec<Envelope>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>> {
        Box::pin(async move {
            for consumer in &self.0.consumers {
                let mine = events
                    .iter()
                    .filter(|event| event.event_type == consumer.event_type);
                let mine: Arc<Vec<Envelope>> = Arc::new(mine.cloned().collect());
                if mine.is_empty() {
                    continue;
                }
                match self.handle_together(consumer, mine.clone()).await {
                    Ok(outcomes) => self.measure(consumer.name, &outcomes),
                    Err(_) => self.handle_apart(consumer, &mine).await?,
                }
            }
            Ok(())
        })
    }
}

/// A problem that undoes a transaction.
struct Undone(Problem);

impl From<DbError> for Undone {
    fn from(error: DbError) -> Self {
        Self(error.into())
    }
}

async fn handle_all(
    tx: &Tx,
    consumer: &Consumer,
    events: &[&Envelope],
    outcomes: &mut Outcomes,
) -> Result<(), Problem> {
    let kept = retry::kept(tx, consumer.name, events).await?;
    let free = |event: &&&Envelope| {
        !kept.ids.contains(&event.id.uuid()) && !kept.lines.contains(&event.subject)
    };
    let ids: Vec<Uuid> = events
        .iter()
        .filter(free)
        .map(|event| event.id.uuid())
        .collect();
    let mut claimed = claim(tx, consumer.name, &ids).await?;
    let mut fresh = Vec::new();
    for event in events {
        let outcome = if kept.ids.contains(&event.id.uuid()) {
            "repeated"
        } else if kept.lines.contains(&event.subject) {
            retry::keep(tx, consumer.name, event, &Failed::behind()).await?;
            "waits"
        } else if claimed.remove(&event.id.uuid()) {
            fresh.push(*event);
            "handled"
        } else {
            "repeated"
        };
        outcomes.push((outcome, event.time));
    }
    consumer.handle(tx, &fresh).await
}

/// Remembers the events as handled; returns those that were not remembered before.
async fn claim(tx: &Tx, consumer: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>, DbError> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let now = tx.sources().now();
    let rows: Vec<(Uuid,)> = tx
        .all(
            sql!(
                sqlite: "INSERT INTO handled_events (consumer, event_id, handled_at)
                         SELECT $1, value, $2 FROM rarray($3) WHERE true
                         ON CONFLICT DO NOTHING RETURNING event_id",
                postgres: "INSERT INTO handled_events (consumer, event_id, handled_at)
                           SELECT $1, unnest($3::uuid[]), $2
                           ON CONFLICT DO NOTHING RETURNING event_id"
            ),
            &[
                Scalar::Text(consumer.into()),
                Scalar::Time(now),
                Scalar::Uuids(ids.into()),
            ],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Forgets what was handled before `before`, a few at a time.
pub(super) async fn prune(tx: &Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            "DELETE FROM handled_events WHERE (consumer, event_id) IN (
                 SELECT consumer, event_id FROM handled_events WHERE handled_at < $1 LIMIT 1000)"
        ),
        params![before],
    )
    .await
}
