//! SQL on SQLite and PostgreSQL, written once.
//!
//! The layer is thin because it is hot. Plain SQL with `$1` placeholders goes to the native
//! drivers; a [`Tx`] runs it on either engine. Three things make it fast, and they shape its
//! interface:
//!
//! * On SQLite, transactions that wait while one commits share the next commit, each in a
//!   savepoint of its own. One thread writes; answers leave only after the commit is durable.
//! * On SQLite, reads run where they are asked, on pooled connections: ten microseconds are less
//!   than a thread hop.
//! * On PostgreSQL, reads of many requests share a few connections and travel together; in a
//!   transaction, [`Tx::run`] does not wait for its answer but travels with the next statement or
//!   the commit.
//!
//! A transaction must never wait for anything but its own statements ([`DbError::AwaitedOutside`]):
//! on SQLite it would stall the only writer, on PostgreSQL it would hold row locks across a
//! network call.

mod error;
mod migrate;
mod postgres;
mod reach;
mod row;
pub mod sql;
mod sqlite;
mod tx;
mod url;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kernel::Sources;
use tokio::sync::{Notify, watch};

pub use self::error::DbError;
pub use self::migrate::{MigrateError, Migration, PLATFORM};
pub use self::reach::{Reached, reach};
pub use self::row::{FromRow, Row};
pub use self::sql::Sql;
pub use self::tx::Tx;
pub use self::url::{DatabaseUrl, InvalidUrl};
use crate::metrics::DbMetrics;

/// Binds values to the placeholders of a statement, in order.
///
/// ```
/// let state = String::from("placed");
/// assert_eq!(platform::params![state, 3_i64].len(), 2);
/// ```
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(::kernel::Stored::store(&$value)),*] as &[::kernel::Scalar<'_>]
    };
}

/// How large a database's pools and queues are.
#[derive(Debug, Clone)]
pub struct DbSettings {
    /// Where it is.
    pub url: DatabaseUrl,
    /// PostgreSQL: connections for transactions. SQLite has one writer.
    pub write_connections: usize,
    /// PostgreSQL: connections that all reads share. SQLite: idle readers that are kept.
    pub read_connections: usize,
    /// How many transactions may wait; the next one is refused at once.
    pub queue: usize,
    /// How long a transaction waits for a connection.
    pub wait: Duration,
}

/// The database of one role. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    engine: Engine,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone)]
enum Engine {
    Sqlite(Arc<sqlite::Sqlite>),
    Postgres(Arc<postgres::Postgres>),
}

#[derive(Debug)]
struct Shared {
    role: &'static str,
    sources: Sources,
    /// Woken after each commit that put something into the outbox.
    outbox: Notify,
    /// Woken after each commit that [`Tx::note_change`] was called for.
    changes: watch::Sender<()>,
    metrics: DbMetrics,
}

impl Db {
    /// Opens the database of `role`: a file of its own on SQLite, a schema of its own on
    /// PostgreSQL. Fails if it cannot be reached.
    pub async fn open(
        role: &'static str,
        settings: &DbSettings,
        sources: Sources,
        metrics: DbMetrics,
    ) -> Result<Self, DbError> {
        let engine = match &settings.url {
            DatabaseUrl::Sqlite(folder) => Engine::Sqlite(Arc::new(sqlite::Sqlite::open(
                folder,
                role,
                settings,
                metrics.commits.clone(),
            )?)),
            DatabaseUrl::Postgres(config) => Engine::Postgres(Arc::new(
                postgres::Postgres::open(config, role, settings).await?,
            )),
        };
        let shared = Shared {
            role,
            sources,
            outbox: Notify::new(),
            changes: watch::Sender::new(()),
            metrics,
        };
        Ok(Self {
            engine,
            shared: Arc::new(shared),
        })
    }

    /// The role that owns this database.
    pub fn role(&self) -> &'static str {
        self.shared.role
    }

    /// Time and ids, as everything that writes here takes them.
    pub fn sources(&self) -> &Sources {
        &self.shared.sources
    }

    /// Brings the schema up to date: the tables of the platform, then `migrations`. Two instances
    /// may do so at once; a database that is newer than the program is refused.
    pub async fn migrate(
        &self,
        migrations: &'static [Migration],
    ) -> Result<Vec<String>, MigrateError> {
        migrate::migrate(self, migrations).await
    }

    /// The names of the migrations that [`migrate`](Self::migrate) would apply.
    pub async fn pending(
        &self,
        migrations: &'static [Migration],
    ) -> Result<Vec<String>, MigrateError> {
        migrate::pending(self, migrations).await
    }

    /// Starts reading. Each statement sees what was committed before it.
    pub async fn read(&self) -> Result<Tx, DbError> {
        let engine = match &self.engine {
            Engine::Sqlite(sqlite) => tx::Engine::SqliteRead(sqlite.reader()?),
            Engine::Postgres(postgres) => tx::Engine::PostgresRead(postgres.reader().await?),
        };
        Ok(Tx::new(engine, self.shared.clone()))
    }

    /// Runs `work` in a transaction and returns after the commit is durable. An error undoes
    /// everything.
    pub async fn write<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let shared = self.shared.clone();
        let (result, outcome) = match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.write(shared, work).await?,
            Engine::Postgres(postgres) => postgres.write(shared, work).await?,
        };
        if result.is_ok() && outcome.emitted() {
            self.shared.outbox.notify_one();
        }
        if result.is_ok() && outcome.changed() {
            self.shared.changes.send_replace(());
        }
        result
    }

    /// Waits until a transaction has put something into the outbox.
    pub async fn outbox_filled(&self) {
        self.shared.outbox.notified().await;
    }

    /// Tells of each commit of this process that [`Tx::note_change`] was called for; those of others
    /// are found by looking.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.shared.changes.subscribe()
    }

    /// Asks the engine for a sign of life.
    pub async fn ping(&self) -> Result<(), DbError> {
        let tx = self.read().await?;
        tx.one::<(i64,)>(
            crate::sql!(sqlite: "SELECT 1", postgres: "SELECT 1::bigint"),
            &[],
        )
        .await
        .map(drop)
    }

    /// Prepares a statement without running it, given as [`sql!`](crate::sql) takes it; for the
    /// test that walks every statement. Fails with what the engine of this database says.
    pub async fn check(&self, sqlite: &str, postgres: &str) -> Result<(), String> {
        match &self.engine {
            Engine::Sqlite(engine) => {
                let reader = engine.reader().map_err(|error| error.to_string())?;
                reader.check(&sql::with_question_marks(sqlite))
            }
            Engine::Postgres(engine) => {
                let reader = engine.reader().await.map_err(|error| error.to_string())?;
                reader.check(postgres).await
            }
        }
    }

    /// Finishes what was accepted and closes every connection. Later calls fail with
    /// [`DbError::Closed`].
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }
}
