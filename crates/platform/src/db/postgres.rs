//! PostgreSQL: a pool of connections for transactions, a few shared ones for all reads.
//!
//! What talks to the server is boxed: inlined into each of the hundreds of places that run a
//! statement it was a quarter of the program, and an allocation is nothing beside a round trip.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use futures_util::future::{BoxFuture, join_all};
use kernel::Scalar;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Client, NoTls, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::row::POSTGRES_EPOCH_MICROS;
use super::sql::with_one_plan;
use super::{DbError, DbSettings, Shared, Sql, Tx, tx};
use crate::tls;

#[derive(Debug)]
pub(super) struct Postgres {
    connector: Connector,
    readers: Vec<tokio::sync::Mutex<Option<Arc<PgConnection>>>>,
    /// Copies of the readers, to be had without waiting.
    ready: Vec<Mutex<Option<Arc<PgConnection>>>>,
    next_reader: AtomicUsize,
    idle: Arc<Mutex<Vec<Arc<PgConnection>>>>,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    settings: DbSettings,
}

impl Postgres {
    pub(super) async fn open(
        config: &tokio_postgres::Config,
        role: &str,
        settings: &DbSettings,
    ) -> Result<Self, DbError> {
        let connector = Connector::new(config, role)?;
        // The first connection makes the schema, and proves the address and the password.
        let first = connector.connect().await?;
        first.create_schema(&connector.schema).await?;
        let slots = settings.read_connections.max(1);
        Ok(Self {
            connector,
            readers: (0..slots).map(|_| tokio::sync::Mutex::default()).collect(),
            ready: (0..slots).map(|_| Mutex::default()).collect(),
            next_reader: AtomicUsize::new(0),
            idle: Arc::new(Mutex::new(vec![Arc::new(first)])),
            permits: Arc::new(Semaphore::new(settings.write_connections.max(1))),
            waiting: AtomicUsize::new(0),
            settings: settings.clone(),
        })
    }

    /// One of the shared connections, in turn; made anew if it broke.
    pub(super) async fn reader(&self) -> Result<Arc<PgConnection>, DbError> {
        let slot = self.next_reader.fetch_add(1, Ordering::Relaxed) % self.ready.len();
        let alive = |connection: &Arc<PgConnection>| !connection.client.is_closed();
        if let Some(connection) = self.ready[slot].lock().clone().filter(alive) {
            return Ok(connection);
        }
        self.connected_reader(slot).await
    }

    fn connected_reader(&self, slot: usize) -> BoxFuture<'_, Result<Arc<PgConnection>, DbError>> {
        Box::pin(async move {
            if self.permits.is_closed() {
                return Err(DbError::Closed);
            }
            let mut reader = self.readers[slot].lock().await;
            let alive = |connection: &Arc<PgConnection>| !connection.client.is_closed();
            if let Some(connection) = reader.clone().filter(alive) {
                return Ok(connection);
            }
            let connection = Arc::new(self.connector.connect().await?);
            *reader = Some(connection.clone());
            *self.ready[slot].lock() = Some(connection.clone());
            Ok(connection)
        })
    }

    pub(super) async fn write<T, E, F, Fut>(
        &self,
        shared: Arc<Shared>,
        work: F,
    ) -> Result<(Result<T, E>, Arc<tx::Outcome>), DbError>
    where
        F: FnOnce(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<DbError>,
    {
        let waits = shared.metrics.transaction();
        let transaction = Arc::new(self.begin().await?);
        let _runs = waits.runs(&shared.metrics);
        let commits = shared.metrics.commits.clone();
        let tx = Tx::new(tx::Engine::PostgresWrite(transaction.clone()), shared);
        let outcome = tx.outcome();
        let result = match outcome.check(work(tx).await) {
            Ok(value) => {
                commits.inc();
                transaction.commit().await.map(|()| value).map_err(E::from)
            }
            // Dropping the transaction undoes it.
            Err(error) => Err(error),
        };
        Ok((result, outcome))
    }

    fn begin(&self) -> BoxFuture<'_, Result<PgTransaction, DbError>> {
        Box::pin(async move {
            let permit = match self.permits.clone().try_acquire_owned() {
                Ok(permit) => permit,
                Err(_) => self.wait_for_permit().await?,
            };
            let idle = self.idle.lock().pop();
            let connection = match idle.filter(|connection| !connection.client.is_closed()) {
                Some(connection) => connection,
                None => Arc::new(self.connector.connect().await?),
            };
            let transaction = PgTransaction {
                connection,
                pending: Mutex::default(),
                finished: Mutex::new(false),
                home: self.idle.clone(),
                _permit: permit,
            };
            transaction.enqueue_control("BEGIN");
            Ok(transaction)
        })
    }

    async fn wait_for_permit(&self) -> Result<OwnedSemaphorePermit, DbError> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.settings.queue {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(DbError::Overloaded);
        }
        let waiting = Waiting(&self.waiting);
        let acquired =
            tokio::time::timeout(self.settings.wait, self.permits.clone().acquire_owned()).await;
        drop(waiting);
        match acquired {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(DbError::Closed),
            Err(_) => Err(DbError::NoConnection(self.settings.wait)),
        }
    }

    pub(super) async fn close(&self) {
        self.permits.close();
        self.idle.lock().clear();
        for (reader, ready) in self.readers.iter().zip(&self.ready) {
            reader.lock().await.take();
            ready.lock().take();
        }
    }
}

/// Counts a waiter for as long as it waits, even if it gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Every statement here is written for an index, and its plan is made once, perhaps when the table is
/// still empty: a connection shall walk the index whatever the server believes about sizes. Without
/// this, plans made on the first day read whole tables until the server next counts their rows.
const PLANS: &str = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off \
                     -c random_page_cost=1.1 -c jit=off";

pub(super) struct Connector {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    schema: String,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(config: &tokio_postgres::Config, role: &str) -> Result<Self, DbError> {
        let mut config = config.clone();
        let schema = format!("rialto_{role}");
        let options = config.get_options().unwrap_or_default();
        let options = format!("{PLANS} {options} -c search_path={schema}");
        config
            .options(options)
            .application_name(format!("rialto {role}"));
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(std::time::Duration::from_secs(5));
        }
        let unreachable = |error: rustls::Error| DbError::Unreachable(Arc::new(error));
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some(MakeRustlsConnect::new(tls::client().map_err(unreachable)?)),
        };
        Ok(Self {
            config,
            tls,
            schema,
        })
    }

    pub(super) fn connect(&self) -> BoxFuture<'_, Result<PgConnection, DbError>> {
        Box::pin(async move {
            let unreachable = |error| DbError::Unreachable(Arc::new(error));
            let client = match &self.tls {
                None => {
                    let (client, driver) = self.config.connect(NoTls).await.map_err(unreachable)?;
                    drive(driver);
                    client
                }
                Some(tls) => {
                    let (client, driver) = self
                        .config
                        .connect(tls.clone())
                        .await
                        .map_err(unreachable)?;
                    drive(driver);
                    client
                }
            };
            Ok(PgConnection {
                client,
                statements: Mutex::default(),
            })
        })
    }
}

/// Moves bytes between the client and the socket until either is closed.
fn drive<S, T>(driver: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "ends with the client that owns it"
    )]
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a database connection broke"
            );
        }
    });
}

#[derive(Debug)]
pub(super) struct PgConnection {
    client: Client,
    /// By the address of the statement's text.
    statements: Mutex<HashMap<usize, Statement>>,
}

impl PgConnection {
    pub(super) async fn prepare(&self, sql: &'static Sql) -> Result<Statement, DbError> {
        let key = sql.postgres.as_ptr().addr();
        if let Some(statement) = self.statements.lock().get(&key) {
            return Ok(statement.clone());
        }
        self.prepare_anew(sql).await
    }

    fn prepare_anew(&self, sql: &'static Sql) -> BoxFuture<'_, Result<Statement, DbError>> {
        Box::pin(async move {
            let prepared = self.client.prepare(&with_one_plan(sql.postgres)).await;
            let statement = prepared.map_err(|error| DbError::postgres(sql.postgres, error))?;
            let key = sql.postgres.as_ptr().addr();
            self.statements.lock().insert(key, statement.clone());
            Ok(statement)
        })
    }

    /// Prepares without keeping.
    pub(super) async fn check(&self, text: &str) -> Result<(), String> {
        let prepared = self.client.prepare(&with_one_plan(text)).await.map(drop);
        prepared.map_err(|error| {
            error
                .as_db_error()
                .map_or_else(|| error.to_string(), ToString::to_string)
        })
    }

    pub(super) fn query<'a>(
        &'a self,
        sql: &'static Sql,
        params: &'a [Scalar<'a>],
    ) -> BoxFuture<'a, Result<Vec<tokio_postgres::Row>, DbError>> {
        Box::pin(async move {
            let statement = self.prepare(sql).await?;
            let rows = self
                .client
                .query(&statement, &references(&bound(params)))
                .await;
            rows.map_err(|error| DbError::postgres(sql.postgres, error))
        })
    }

    pub(super) fn execute<'a>(
        &'a self,
        sql: &'static Sql,
        params: &'a [Scalar<'a>],
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async move {
            let statement = self.prepare(sql).await?;
            let changed = self
                .client
                .execute(&statement, &references(&bound(params)))
                .await;
            changed.map_err(|error| DbError::postgres(sql.postgres, error))
        })
    }

    pub(super) async fn script(&self, text: &'static str) -> Result<(), DbError> {
        self.client
            .batch_execute(text)
            .await
            .map_err(|error| DbError::postgres(text, error))
    }

    /// Two instances may race for it: "if not exists" alone does not make that safe.
    async fn create_schema(&self, schema: &str) -> Result<(), DbError> {
        const LOCKED: &str = "create the schema";
        let script = format!(
            "BEGIN; SELECT pg_advisory_xact_lock(hashtext('{schema}'));
             CREATE SCHEMA IF NOT EXISTS {schema}; COMMIT"
        );
        let made = self.client.batch_execute(&script).await;
        made.map_err(|error| DbError::postgres(LOCKED, error))
    }
}

type Pending = Pin<Box<dyn Future<Output = Result<(), DbError>> + Send>>;

/// A connection inside `BEGIN`. Statements whose answer nobody needs are on their way already and
/// are waited for at the commit; what is not committed is rolled back when this is dropped.
pub(super) struct PgTransaction {
    connection: Arc<PgConnection>,
    pending: Mutex<Vec<Pending>>,
    finished: Mutex<bool>,
    home: Arc<Mutex<Vec<Arc<PgConnection>>>>,
    _permit: OwnedSemaphorePermit,
}

impl std::fmt::Debug for PgTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgTransaction").finish_non_exhaustive()
    }
}

impl PgTransaction {
    pub(super) fn query<'a>(
        &'a self,
        sql: &'static Sql,
        params: &'a [Scalar<'a>],
    ) -> BoxFuture<'a, Result<Vec<tokio_postgres::Row>, DbError>> {
        Box::pin(async move {
            match self.connection.query(sql, params).await {
                Ok(rows) => Ok(rows),
                Err(error) => Err(self.first_cause(error).await),
            }
        })
    }

    pub(super) fn execute<'a>(
        &'a self,
        sql: &'static Sql,
        params: &'a [Scalar<'a>],
    ) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async move {
            match self.connection.execute(sql, params).await {
                Ok(changed) => Ok(changed),
                Err(error) => Err(self.first_cause(error).await),
            }
        })
    }

    pub(super) async fn script(&self, text: &'static str) -> Result<(), DbError> {
        match self.connection.script(text).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.first_cause(error).await),
        }
    }

    /// Sends the statement and leaves its answer for later.
    pub(super) fn enqueue<'a>(
        &'a self,
        sql: &'static Sql,
        params: &'a [Scalar<'a>],
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(async move {
            let statement = match self.connection.prepare(sql).await {
                Ok(statement) => statement,
                Err(error) => return Err(self.first_cause(error).await),
            };
            let params: Vec<Bound<'static>> = params
                .iter()
                .map(|param| Bound(param.clone().into_owned()))
                .collect();
            let connection = self.connection.clone();
            self.leave(Box::pin(async move {
                let changed = connection
                    .client
                    .execute(&statement, &references(&params))
                    .await;
                changed
                    .map(drop)
                    .map_err(|error| DbError::postgres(sql.postgres, error))
            }));
            Ok(())
        })
    }

    fn enqueue_control(&self, text: &'static str) {
        let connection = self.connection.clone();
        self.leave(Box::pin(async move { connection.script(text).await }));
    }

    /// The first poll puts the message on the wire.
    fn leave(&self, mut statement: Pending) {
        match statement
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Pending => self.pending.lock().push(statement),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                self.pending
                    .lock()
                    .push(Box::pin(std::future::ready(Err(error))));
            }
        }
    }

    /// A statement that fails makes every later one fail: the first error is the true one.
    async fn first_cause(&self, last: DbError) -> DbError {
        let pending = std::mem::take(&mut *self.pending.lock());
        let results = join_all(pending).await;
        results.into_iter().find_map(Result::err).unwrap_or(last)
    }

    fn commit(&self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(async move {
            self.enqueue_control("COMMIT");
            let pending = std::mem::take(&mut *self.pending.lock());
            // From here on the outcome is the server's; dropping must not send a ROLLBACK for it.
            *self.finished.lock() = true;
            join_all(pending).await.into_iter().collect()
        })
    }
}

impl Drop for PgTransaction {
    fn drop(&mut self) {
        if !*self.finished.get_mut() {
            self.enqueue_control("ROLLBACK");
        }
        if !self.connection.client.is_closed() {
            self.home.lock().push(self.connection.clone());
        }
    }
}

#[derive(Debug)]
struct Bound<'a>(Scalar<'a>);

fn bound<'a>(params: &'a [Scalar<'_>]) -> Vec<Bound<'a>> {
    params.iter().map(|param| Bound(param.clone())).collect()
}

fn references<'a>(params: &'a [Bound<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params
        .iter()
        .map(|param| param as &(dyn ToSql + Sync))
        .collect()
}

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            Scalar::Null => return Ok(IsNull::Yes),
            Scalar::Bool(value) => return value.to_sql(ty, out),
            Scalar::Int(value) => match *ty {
                Type::INT2 => out.extend_from_slice(&i16::try_from(*value)?.to_be_bytes()),
                Type::INT4 => out.extend_from_slice(&i32::try_from(*value)?.to_be_bytes()),
                _ => out.extend_from_slice(&value.to_be_bytes()),
            },
            Scalar::Time(time) => {
                let micros = time.micros().saturating_sub(POSTGRES_EPOCH_MICROS);
                out.extend_from_slice(&micros.to_be_bytes());
            }
            Scalar::Text(text) | Scalar::Json(text) => {
                if *ty == Type::JSONB {
                    out.extend_from_slice(&[1]);
                }
                out.extend_from_slice(text.as_bytes());
            }
            Scalar::Uuid(uuid) => out.extend_from_slice(uuid.as_bytes()),
            Scalar::Bytes(bytes) => out.extend_from_slice(bytes),
            Scalar::Uuids(uuids) => return uuids.as_ref().to_sql(ty, out),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
