//! How events travel from the outbox of one role to the inboxes of others.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;
use kernel::{Envelope, Problem};

use super::outbox::{self, Queued};
use super::{Delivery, EventsApi, EventsClient};
use crate::db::{Db, DbError, Tx};

/// Takes charge of events for one role: when it answers, each is handled or kept.
pub trait EventSink: fmt::Debug + Send + Sync + 'static {
    /// Takes charge of `events`.
    fn deliver(
        &self,
        events: Vec<Envelope>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>>;
}

/// A role that listens, and to what.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The role.
    pub role: &'static str,
    /// The types of its consumers.
    pub event_types: BTreeSet<&'static str>,
    /// Its inbox, here or in another process.
    pub sink: Arc<dyn EventSink>,
}

/// The inbox of a role in another process.
#[derive(Debug)]
pub struct RemoteSink {
    role: &'static str,
    client: EventsClient,
}

impl RemoteSink {
    /// The inbox of `role`, reached through `client`.
    pub fn new(role: &'static str, client: EventsClient) -> Self {
        Self { role, client }
    }
}

impl EventSink for RemoteSink {
    fn deliver(
        &self,
        events: Vec<Envelope>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>> {
        Box::pin(self.client.deliver(Delivery {
            role: self.role.to_owned(),
            events,
        }))
    }
}

/// The inboxes of every instance of a role that keeps what it is told in its memory: each has to be
/// told. While one cannot be, the events wait, and all are told again.
#[derive(Debug)]
pub struct EverySink(pub Vec<RemoteSink>);

impl EventSink for EverySink {
    fn deliver(
        &self,
        events: Vec<Envelope>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>> {
        Box::pin(async move {
            let told = self.0.iter().map(|sink| sink.deliver(events.clone()));
            join_all(told).await.into_iter().collect()
        })
    }
}

/// Serves the inboxes of this process to the others.
#[derive(Debug)]
pub struct LocalSinks(pub Vec<(&'static str, Arc<dyn EventSink>)>);

impl EventsApi for LocalSinks {
    fn deliver(&self, delivery: Delivery) -> kernel::contract::Answer<'_, ()> {
        Box::pin(async move {
            let sink = self.0.iter().find(|(role, _)| *role == delivery.role);
            let (_, sink) = sink.ok_or_else(|| {
                let detail = format!("{} does not run here", delivery.role);
                Problem::unavailable(kernel::problem::codes::UNAVAILABLE, detail, 1)
            })?;
            sink.deliver(delivery.events).await
        })
    }
}

/// The engine that carries events.
#[derive(Debug)]
pub enum Bus {
    /// `database:`
    Database(DatabaseBus),
}

impl Bus {
    /// Takes charge of `events`, which are in order: each will reach every role that listens.
    pub(super) async fn publish(&self, events: Vec<Queued>) -> Result<(), DbError> {
        match self {
            Self::Database(bus) => bus.publish(events).await,
        }
    }

    /// Whether something could not be delivered yet.
    pub(super) async fn waits(&self) -> Result<bool, DbError> {
        match self {
            Self::Database(bus) => Ok(!bus.behind().await?.is_empty()),
        }
    }

    /// Tries again what could not be delivered; returns how many events were tried.
    pub(super) async fn retry(&self) -> Result<usize, DbError> {
        match self {
            Self::Database(bus) => bus.retry().await,
        }
    }
}

/// Brings events from the outbox straight to the inboxes, by a call in the process or a contract
/// call to another one. What an inbox that is away could not take waits in the backlog, and
/// everything later for it behind.
#[derive(Debug)]
pub struct DatabaseBus {
    db: Db,
    destinations: Vec<Destination>,
}

const BACKLOG_BATCH: i64 = 200;

impl DatabaseBus {
    /// A bus that starts at the outbox of `db`.
    pub fn new(db: Db, destinations: Vec<Destination>) -> Self {
        Self { db, destinations }
    }

    async fn publish(&self, events: Vec<Queued>) -> Result<(), DbError> {
        let behind = self.behind().await?;
        let events = Arc::new(events);
        let deliveries = self.destinations.iter().map(|destination| {
            let events = events.clone();
            let waits = behind.contains(destination.role);
            async move {
                let wanted: Vec<usize> = (0..events.len())
                    .filter(|&index| destination.event_types.contains(events[index].event_type()))
                    .collect();
                if wanted.is_empty()
                    || (!waits && self.deliver(destination, &events, &wanted).await)
                {
                    return None;
                }
                Some((destination.role, wanted))
            }
        });
        for (role, wanted) in join_all(deliveries).await.into_iter().flatten() {
            let ids: Vec<_> = wanted.iter().map(|&index| events[index].id()).collect();
            let put_back = move |tx: Tx| async move { outbox::put_back(&tx, role, &ids).await };
            self.db.write(put_back).await?;
        }
        Ok(())
    }

    async fn deliver(&self, to: &Destination, events: &[Queued], wanted: &[usize]) -> bool {
        let role = self.db.role();
        let envelopes = wanted
            .iter()
            .map(|&index| events[index].envelope(role))
            .collect();
        match to.sink.deliver(envelopes).await {
            Ok(()) => true,
            Err(problem) => {
                tracing::warn!(to = to.role, %problem, "events could not be delivered and wait");
                false
            }
        }
    }

    async fn retry(&self) -> Result<usize, DbError> {
        let behind = self.behind().await?;
        let destinations = self.destinations.iter();
        let mut tried = 0;
        for destination in destinations.filter(|to| behind.contains(to.role)) {
            tried += self.catch_up(destination).await?;
        }
        Ok(tried)
    }

    /// Delivers what waits for one destination, as long as it takes it.
    async fn catch_up(&self, to: &Destination) -> Result<usize, DbError> {
        let role = to.role;
        let mut tried = 0;
        loop {
            let events = outbox::backlog(&self.db.read().await?, role, BACKLOG_BATCH).await?;
            tried += events.len();
            let all: Vec<usize> = (0..events.len()).collect();
            if events.is_empty() || !self.deliver(to, &events, &all).await {
                return Ok(tried);
            }
            let ids: Vec<_> = events.iter().map(Queued::id).collect();
            let forget = move |tx: Tx| async move { outbox::forget_backlog(&tx, role, &ids).await };
            self.db.write(forget).await?;
        }
    }

    async fn behind(&self) -> Result<BTreeSet<String>, DbError> {
        let roles: Vec<&str> = self.destinations.iter().map(|to| to.role).collect();
        outbox::backlogged(&self.db.read().await?, &roles).await
    }
}
