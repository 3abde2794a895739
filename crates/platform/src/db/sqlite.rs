//! SQLite: one thread writes and shares commits, readers run where they are asked.

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use kernel::Scalar;
use parking_lot::{Mutex, MutexGuard};
use prometheus_client::metrics::counter::Counter;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};
use tokio::sync::oneshot;

use super::{DbError, DbSettings, FromRow, Row, Shared, Tx, tx};
use crate::context::RequestContext;

/// How many transactions share one commit at the most. At a hundred microseconds each, the last
/// one waits as long as a slow disk would have made it wait anyway.
const GROUP: usize = 200;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that each connection keeps prepared; a role has fewer.
const STATEMENTS: usize = 256;

#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    queue: Mutex<Option<SyncSender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Arc<Readers>,
}

/// Runs a transaction inside a savepoint, and returns what to do once its fate is known.
type Job = Box<dyn FnOnce(&Arc<Mutex<Connection>>) -> Reply + Send>;
type Reply = Box<dyn FnOnce(Result<(), DbError>) + Send>;

impl Sqlite {
    pub(super) fn open(
        folder: &Path,
        role: &str,
        settings: &DbSettings,
        commits: Counter,
    ) -> Result<Self, DbError> {
        std::fs::create_dir_all(folder).map_err(|error| DbError::Unreachable(Arc::new(error)))?;
        let path = file(folder, role);
        let connection = connect(&path)?;
        let (queue, jobs) = sync_channel(settings.queue);
        let writer = std::thread::Builder::new()
            .name(format!("{role}-writer"))
            .spawn(move || write_loop(&Arc::new(Mutex::new(connection)), &jobs, &commits))
            .map_err(|error| DbError::Unreachable(Arc::new(error)))?;
        Ok(Self {
            path,
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
            readers: Arc::new(Readers {
                idle: Mutex::default(),
                keep: settings.read_connections,
            }),
        })
    }

    pub(super) fn reader(&self) -> Result<ReaderGuard, DbError> {
        let idle = self.readers.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let connection = connect(&self.path)?;
                script(&connection, "PRAGMA query_only = ON")?;
                connection
            }
        };
        Ok(ReaderGuard {
            connection: Some(Mutex::new(connection)),
            home: self.readers.clone(),
        })
    }

    pub(super) async fn write<T, E, F, Fut>(
        &self,
        shared: Arc<Shared>,
        work: F,
    ) -> Result<(Result<T, E>, Arc<tx::Outcome>), DbError>
    where
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>>,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let context = RequestContext::current();
        let span = tracing::Span::current();
        let waits = shared.metrics.transaction();
        let job: Job = Box::new(move |connection| {
            let _entered = span.enter();
            let _runs = waits.runs(&shared.metrics);
            let tx = Tx::new(tx::Engine::SqliteWrite(connection.clone()), shared.clone())
                .in_context(context);
            let outcome = tx.outcome();
            let result = in_savepoint(connection, || outcome.check(run_now(work(tx))));
            Box::new(move |committed| {
                let result = committed.map_err(E::from).and(result);
                // Nobody may be waiting any more; the work is done all the same.
                let _ = answer.send((result, outcome));
            })
        });
        let queue = self.queue.lock().clone().ok_or(DbError::Closed)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => DbError::Overloaded,
            TrySendError::Disconnected(_) => DbError::Closed,
        })?;
        answered.await.map_err(|_| DbError::Closed)
    }

    pub(super) async fn close(&self) {
        drop(self.queue.lock().take());
        let writer = self.writer.lock().take();
        if let Some(writer) = writer {
            // The thread ends after its queue is empty.
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
        self.readers.idle.lock().clear();
    }
}

/// Where the database of `role` is.
pub(super) fn file(folder: &Path, role: &str) -> PathBuf {
    folder.join(format!("{role}.db"))
}

fn connect(path: &Path) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA wal_autocheckpoint = 4000;",
        )?;
        // Plans are made once, not again for each list that is bound.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        rusqlite::vtab::array::load_module(&connection)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    };
    open().map_err(|error| DbError::Unreachable(Arc::new(error)))
}

/// Transactions that arrive while one group commits form the next group.
fn write_loop(connection: &Arc<Mutex<Connection>>, jobs: &Receiver<Job>, commits: &Counter) {
    while let Ok(first) = jobs.recv() {
        let begun = control(&connection.lock(), "BEGIN IMMEDIATE");
        let mut replies = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            // Without a transaction the statements of the job fail, and its savepoint with them.
            replies.push(job(connection));
            next = if replies.len() < GROUP {
                jobs.try_recv().ok()
            } else {
                None
            };
        }
        let committed = begun.and_then(|()| {
            let connection = connection.lock();
            control(&connection, "COMMIT").inspect_err(|error| {
                tracing::error!(error = error as &dyn std::error::Error, "a commit failed");
                let _ = control(&connection, "ROLLBACK");
            })
        });
        if committed.is_ok() {
            commits.inc();
        }
        for reply in replies {
            reply(committed.clone());
        }
    }
}

fn in_savepoint<T, E: From<DbError>>(
    connection: &Mutex<Connection>,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    control(&connection.lock(), "SAVEPOINT tx")?;
    let result = std::panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(DbError::Panicked.into()));
    let connection = connection.lock();
    if result.is_err() {
        control(&connection, "ROLLBACK TO tx")?;
    }
    control(&connection, "RELEASE tx")?;
    result
}

/// On SQLite every statement is done when its call returns, so a transaction that waits for
/// nothing else is done at the first poll.
fn run_now<T, E: From<DbError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(DbError::AwaitedOutside.into()),
    }
}

#[derive(Debug)]
struct Readers {
    idle: Mutex<Vec<Connection>>,
    keep: usize,
}

/// A reader that goes back to its pool.
#[derive(Debug)]
pub(super) struct ReaderGuard {
    connection: Option<Mutex<Connection>>,
    home: Arc<Readers>,
}

impl ReaderGuard {
    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.as_ref().expect("taken only by drop").lock()
    }

    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        let connection = self.lock();
        let prepared = connection.prepare(text).map(drop);
        prepared.map_err(|error| error.to_string())
    }
}

impl Drop for ReaderGuard {
    fn drop(&mut self) {
        let mut idle = self.home.idle.lock();
        if let Some(connection) = self
            .connection
            .take()
            .filter(|_| idle.len() < self.home.keep)
        {
            idle.push(connection.into_inner());
        }
    }
}

/// Hands the rows to `take` until it has enough. Not generic: it is in one place of the program,
/// not in one for each kind of row.
pub(super) fn rows(
    connection: &Connection,
    sql: &'static str,
    params: &[Scalar<'_>],
    take: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>, DbError>,
) -> Result<(), DbError> {
    let fail = |error| DbError::sqlite(sql, error);
    let mut statement = connection.prepare_cached(sql).map_err(fail)?;
    bind(&mut statement, sql, params)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(fail)? {
        if take(&Row::Sqlite(row))?.is_break() {
            break;
        }
    }
    Ok(())
}

pub(super) fn one<T: FromRow>(
    connection: &Connection,
    sql: &'static str,
    params: &[Scalar<'_>],
) -> Result<Option<T>, DbError> {
    let mut found = None;
    rows(connection, sql, params, &mut |row| {
        found = Some(T::from_row(row)?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

pub(super) fn all<T: FromRow>(
    connection: &Connection,
    sql: &'static str,
    params: &[Scalar<'_>],
) -> Result<Vec<T>, DbError> {
    let mut all = Vec::new();
    rows(connection, sql, params, &mut |row| {
        all.push(T::from_row(row)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(all)
}

pub(super) fn exec(
    connection: &Connection,
    sql: &'static str,
    params: &[Scalar<'_>],
) -> Result<u64, DbError> {
    let fail = |error| DbError::sqlite(sql, error);
    let mut statement = connection.prepare_cached(sql).map_err(fail)?;
    bind(&mut statement, sql, params)?;
    let changed = statement.raw_execute().map_err(fail)?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}

pub(super) fn script(connection: &Connection, text: &'static str) -> Result<(), DbError> {
    connection
        .execute_batch(text)
        .map_err(|error| DbError::sqlite(text, error))
}

fn control(connection: &Connection, sql: &'static str) -> Result<(), DbError> {
    let mut statement = connection
        .prepare_cached(sql)
        .map_err(|e| DbError::sqlite(sql, e))?;
    statement
        .raw_execute()
        .map(drop)
        .map_err(|error| DbError::sqlite(sql, error))
}

fn bind(
    statement: &mut Statement<'_>,
    sql: &'static str,
    params: &[Scalar<'_>],
) -> Result<(), DbError> {
    for (index, param) in params.iter().enumerate() {
        statement
            .raw_bind_parameter(index + 1, Bound(param))
            .map_err(|error| DbError::sqlite(sql, error))?;
    }
    Ok(())
}

struct Bound<'a>(&'a Scalar<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Scalar::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Scalar::Bool(value) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*value))),
            Scalar::Int(value) => ToSqlOutput::Borrowed(ValueRef::Integer(*value)),
            Scalar::Time(time) => ToSqlOutput::Borrowed(ValueRef::Integer(time.micros())),
            Scalar::Text(text) | Scalar::Json(text) => {
                ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
            }
            Scalar::Uuid(uuid) => ToSqlOutput::Borrowed(ValueRef::Blob(uuid.as_bytes())),
            Scalar::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Scalar::Uuids(uuids) => {
                let blobs = uuids
                    .iter()
                    .map(|uuid| Value::Blob(uuid.as_bytes().to_vec()));
                let list: rusqlite::vtab::array::Array = Rc::new(blobs.collect());
                // The name is that of the module that `rarray(..)` reads.
                ToSqlOutput::from_rc(list, c"rarray")
            }
        })
    }
}
