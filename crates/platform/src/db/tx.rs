//! A transaction, or a reader: what every function of a `store.rs` takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kernel::{Scalar, Sources};
use parking_lot::Mutex;
use uuid::Uuid;

use super::postgres::{PgConnection, PgTransaction};
use super::sqlite::ReaderGuard;
use super::{DbError, FromRow, Row, Shared, Sql, sqlite};
use crate::context::RequestContext;
use crate::sql;

/// Runs statements: inside a transaction where [`Db::write`](super::Db::write) handed it out, one
/// by one where [`Db::read`](super::Db::read) did. Takes `&self`, so that independent reads can be
/// joined and travel to PostgreSQL together.
#[derive(Debug)]
pub struct Tx {
    engine: Engine,
    shared: Arc<Shared>,
    context: Option<Arc<RequestContext>>,
    outcome: Arc<Outcome>,
}

/// What the one who handed out a transaction must know about it afterwards.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    emitted: AtomicBool,
    changed: AtomicBool,
    doomed: Mutex<Option<DbError>>,
}

impl Outcome {
    /// Whether the outbox has something to send once this is committed.
    pub(super) fn emitted(&self) -> bool {
        self.emitted.load(Ordering::Relaxed)
    }

    /// Whether those who follow what changes here have something to read once this is committed.
    pub(super) fn changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// A transaction in which a statement failed cannot be committed, even if its code went on:
    /// PostgreSQL would not, and the engines must not differ.
    pub(super) fn check<T, E: From<DbError>>(&self, result: Result<T, E>) -> Result<T, E> {
        match self.doomed.lock().take() {
            Some(error) if result.is_ok() => Err(error.into()),
            _ => result,
        }
    }
}

#[derive(Debug)]
pub(super) enum Engine {
    SqliteRead(ReaderGuard),
    SqliteWrite(Arc<Mutex<rusqlite::Connection>>),
    PostgresRead(Arc<PgConnection>),
    PostgresWrite(Arc<PgTransaction>),
}

impl Tx {
    pub(super) fn new(engine: Engine, shared: Arc<Shared>) -> Self {
        let context = RequestContext::current();
        Self {
            engine,
            shared,
            context,
            outcome: Arc::default(),
        }
    }

    pub(super) fn in_context(mut self, context: Option<Arc<RequestContext>>) -> Self {
        self.context = context;
        self
    }

    pub(super) fn outcome(&self) -> Arc<Outcome> {
        self.outcome.clone()
    }

    /// The role whose database this is.
    pub fn role(&self) -> &'static str {
        self.shared.role
    }

    /// Time and ids.
    pub fn sources(&self) -> &Sources {
        &self.shared.sources
    }

    /// The context that the transaction was started in.
    pub(crate) fn context(&self) -> Option<&RequestContext> {
        self.context.as_deref()
    }

    /// Notes that the outbox will have something to send once this is committed.
    pub(crate) fn note_emitted(&self) {
        self.outcome.emitted.store(true, Ordering::Relaxed);
    }

    /// Wakes those who wait for [`Db::changes`](super::Db::changes) once this is committed.
    pub fn note_change(&self) {
        self.outcome.changed.store(true, Ordering::Relaxed);
    }

    /// The first row, if there is one.
    pub async fn one<T: FromRow>(
        &self,
        sql: &'static Sql,
        params: &[Scalar<'_>],
    ) -> Result<Option<T>, DbError> {
        self.count();
        let found = match &self.engine {
            Engine::SqliteRead(reader) => sqlite::one(&reader.lock(), sql.sqlite, params),
            Engine::SqliteWrite(writer) => sqlite::one(&writer.lock(), sql.sqlite, params),
            Engine::PostgresRead(connection) => connection
                .query(sql, params)
                .await
                .and_then(|rows| first(&rows)),
            Engine::PostgresWrite(transaction) => transaction
                .query(sql, params)
                .await
                .and_then(|rows| first(&rows)),
        };
        self.doomed_by(found)
    }

    /// All rows.
    pub async fn all<T: FromRow>(
        &self,
        sql: &'static Sql,
        params: &[Scalar<'_>],
    ) -> Result<Vec<T>, DbError> {
        self.count();
        let found = match &self.engine {
            Engine::SqliteRead(reader) => sqlite::all(&reader.lock(), sql.sqlite, params),
            Engine::SqliteWrite(writer) => sqlite::all(&writer.lock(), sql.sqlite, params),
            Engine::PostgresRead(connection) => connection
                .query(sql, params)
                .await
                .and_then(|rows| every(&rows)),
            Engine::PostgresWrite(transaction) => transaction
                .query(sql, params)
                .await
                .and_then(|rows| every(&rows)),
        };
        self.doomed_by(found)
    }

    /// Changes rows and tells how many.
    pub async fn exec(&self, sql: &'static Sql, params: &[Scalar<'_>]) -> Result<u64, DbError> {
        self.count();
        let changed = match &self.engine {
            Engine::SqliteRead(reader) => sqlite::exec(&reader.lock(), sql.sqlite, params),
            Engine::SqliteWrite(writer) => sqlite::exec(&writer.lock(), sql.sqlite, params),
            Engine::PostgresRead(connection) => connection.execute(sql, params).await,
            Engine::PostgresWrite(transaction) => transaction.execute(sql, params).await,
        };
        self.doomed_by(changed)
    }

    /// Changes rows without waiting for the answer: on PostgreSQL the statement travels with the
    /// next one, or with the commit, and its error appears there. For changes whose count nobody
    /// asks for.
    pub async fn run(&self, sql: &'static Sql, params: &[Scalar<'_>]) -> Result<(), DbError> {
        match &self.engine {
            Engine::PostgresWrite(transaction) => {
                self.count();
                self.doomed_by(transaction.enqueue(sql, params).await)
            }
            _ => self.exec(sql, params).await.map(drop),
        }
    }

    /// Keeps transactions of other instances that lock one of `keys` waiting until this one ends.
    /// For rows that are not there yet: nobody can lock those. Nothing happens on SQLite, where
    /// one transaction runs at a time. Take all keys at once, and before any row: then nobody can
    /// lock each other out.
    pub async fn lock_keys(&self, keys: &[Uuid]) -> Result<(), DbError> {
        if keys.is_empty() || self.on_sqlite() {
            return Ok(());
        }
        // Roles share a database but no keys, hence the schema.
        let lock = sql!(
            sqlite: "SELECT 1",
            postgres: "SELECT pg_advisory_xact_lock(key)
                       FROM (SELECT uuid_hash_extended(id, hashtext(current_schema())) AS key
                             FROM unnest($1::uuid[]) AS id ORDER BY key) AS keys"
        );
        self.run(lock, &[Scalar::Uuids(keys.into())]).await
    }

    /// Runs several statements that take no parameters; for migrations.
    pub(super) async fn script(&self, text: &'static str) -> Result<(), DbError> {
        match &self.engine {
            Engine::SqliteRead(reader) => sqlite::script(&reader.lock(), text),
            Engine::SqliteWrite(writer) => sqlite::script(&writer.lock(), text),
            Engine::PostgresRead(connection) => connection.script(text).await,
            Engine::PostgresWrite(transaction) => transaction.script(text).await,
        }
    }

    /// Whether this runs on SQLite, for the few who must know.
    pub(super) fn on_sqlite(&self) -> bool {
        matches!(self.engine, Engine::SqliteRead(_) | Engine::SqliteWrite(_))
    }

    fn doomed_by<T>(&self, result: Result<T, DbError>) -> Result<T, DbError> {
        result.inspect_err(|error| {
            self.outcome
                .doomed
                .lock()
                .get_or_insert_with(|| error.clone());
        })
    }

    fn count(&self) {
        self.shared.metrics.statements.inc();
        if let Some(context) = &self.context {
            context.count_statement();
        }
    }
}

fn first<T: FromRow>(rows: &[tokio_postgres::Row]) -> Result<Option<T>, DbError> {
    rows.first()
        .map(|row| T::from_row(&Row::Postgres(row)))
        .transpose()
}

fn every<T: FromRow>(rows: &[tokio_postgres::Row]) -> Result<Vec<T>, DbError> {
    rows.iter()
        .map(|row| T::from_row(&Row::Postgres(row)))
        .collect()
}
