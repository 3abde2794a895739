//! Looking at a database without changing anything: for `rialto doctor`, and for what a start that
//! fails can tell.

use std::path::Path;
use std::sync::Arc;

use kernel::{Sources, Timestamp};

use super::postgres::{Connector, PgConnection};
use super::{DatabaseUrl, DbError, FromRow, Row, sqlite};
use crate::sql;

/// A database that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Which engine it is: `SQLite 3.50.1`, `PostgreSQL 17.5`.
    pub version: String,
    /// What the clock of its machine shows.
    pub clock: Timestamp,
    /// Whether the file, or the schema, of the role is there; if not, the next start makes it.
    pub exists: bool,
}

/// Looks whether the database of `role` can be had at `url`.
pub async fn reach(role: &str, url: &DatabaseUrl) -> Result<Reached, DbError> {
    match url {
        DatabaseUrl::Sqlite(folder) => reach_folder(role, folder),
        DatabaseUrl::Postgres(config) => {
            let connector = Connector::new(config, role)?;
            reach_server(role, &connector.connect().await?).await
        }
    }
}

fn reach_folder(role: &str, folder: &Path) -> Result<Reached, DbError> {
    let unusable = |kind, why: &str| {
        let error = std::io::Error::new(kind, format!("{} {why}", folder.display()));
        DbError::Unreachable(Arc::new(error))
    };
    // The folder itself may be made by the next start, but something must be there to hold it.
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let nearest = absolute.ancestors().find_map(|path| path.metadata().ok());
    match nearest {
        Some(place) if !place.is_dir() => {
            return Err(unusable(
                std::io::ErrorKind::NotADirectory,
                "is not a folder",
            ));
        }
        Some(place) if place.permissions().readonly() => {
            return Err(unusable(
                std::io::ErrorKind::PermissionDenied,
                "cannot be written to",
            ));
        }
        _ => {}
    }
    Ok(Reached {
        version: format!("SQLite {}", rusqlite::version()),
        clock: Sources::system().now(),
        exists: sqlite::file(folder, role).exists(),
    })
}

async fn reach_server(role: &str, connection: &PgConnection) -> Result<Reached, DbError> {
    // SQLite is asked in another way, above.
    let question = sql!(
        sqlite: "SELECT sqlite_version(), unixepoch(), $1 IS NOT NULL",
        postgres: "SELECT 'PostgreSQL ' || current_setting('server_version'), clock_timestamp(),
                          to_regnamespace($1) IS NOT NULL"
    );
    let schema = format!("rialto_{role}");
    let rows = connection
        .query(question, &[kernel::Scalar::Text(schema.into())])
        .await?;
    let row = rows.first().ok_or(DbError::Closed)?;
    let (version, clock, exists) = FromRow::from_row(&Row::Postgres(row))?;
    Ok(Reached {
        version,
        clock,
        exists,
    })
}
