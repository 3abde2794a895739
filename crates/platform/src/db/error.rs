//! What can go wrong between a statement and its rows.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use kernel::problem::codes;
use kernel::stored::NotStored;
use kernel::{Code, Fault, Kind};

type Cause = Arc<dyn Error + Send + Sync>;

/// Why the database did not do what it was asked. Cheap to clone: the transactions that share a
/// commit share its failure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DbError {
    /// Too many callers wait already; nothing was done.
    #[error("the queue of the database is full")]
    Overloaded,
    /// No connection became free within the deadline; nothing was done.
    #[error("no database connection became free within {0:?}")]
    NoConnection(Duration),
    /// The server cannot be reached, or the connection broke.
    #[error("the database cannot be reached")]
    Unreachable(#[source] Cause),
    /// The transaction lost against another one and was undone; it may be tried again.
    #[error("the transaction was undone in favour of another one")]
    Contention(#[source] Cause),
    /// A constraint of the schema refused the change.
    #[error("a constraint refused the change: {statement}")]
    Constraint {
        /// Which statement.
        statement: &'static str,
        /// What the engine said.
        #[source]
        source: Cause,
    },
    /// The engine refused the statement.
    #[error("a statement failed: {statement}")]
    Statement {
        /// Which statement.
        statement: &'static str,
        /// What the engine said.
        #[source]
        source: Cause,
    },
    /// A column does not hold what its type promises.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// A transaction waited for something other than its own statements. On SQLite that would
    /// stall every writer, so it is refused.
    #[error("a transaction may only wait for its own statements")]
    AwaitedOutside,
    /// The code of a transaction panicked; the transaction was undone.
    #[error("the code of a transaction panicked")]
    Panicked,
    /// The database was closed.
    #[error("the database is closed")]
    Closed,
}

impl DbError {
    pub(super) fn sqlite(statement: &'static str, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let code = error.sqlite_error_code();
        let source: Cause = Arc::new(error);
        match code {
            Some(Code::ConstraintViolation) => Self::Constraint { statement, source },
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Contention(source),
            Some(Code::CannotOpen | Code::DiskFull | Code::SystemIoFailure | Code::ReadOnly) => {
                Self::Unreachable(source)
            }
            _ => Self::Statement { statement, source },
        }
    }

    pub(super) fn postgres(statement: &'static str, error: tokio_postgres::Error) -> Self {
        let class = error
            .code()
            .map(|state| state.code().get(..2).unwrap_or("").to_owned());
        let source: Cause = Arc::new(error);
        match class.as_deref() {
            None | Some("08" | "53" | "57") => Self::Unreachable(source),
            Some("23") => Self::Constraint { statement, source },
            Some("40" | "55") => Self::Contention(source),
            Some(_) => Self::Statement { statement, source },
        }
    }
}

impl Fault for DbError {
    fn kind(&self) -> Kind {
        match self {
            Self::Overloaded
            | Self::NoConnection(_)
            | Self::Unreachable(_)
            | Self::Contention(_)
            | Self::Closed => Kind::Unavailable,
            _ => Kind::Internal,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Overloaded | Self::NoConnection(_) | Self::Contention(_) => codes::OVERLOADED,
            Self::Unreachable(_) | Self::Closed => codes::UNAVAILABLE,
            _ => codes::INTERNAL,
        }
    }

    fn retry_after(&self) -> Option<u32> {
        self.kind().transient().then_some(1)
    }
}
