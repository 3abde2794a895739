//! Forward-only migrations.

use std::collections::BTreeMap;

use super::{Db, DbError, Tx};
use crate::{params, sql};

/// One step of a schema, in both dialects. Made by [`migrations!`](crate::migrations).
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// `0001_orders`: the number orders them, and both are remembered.
    pub name: &'static str,
    #[doc(hidden)]
    pub sqlite: &'static str,
    #[doc(hidden)]
    pub postgres: &'static str,
}

/// Embeds `migrations/{sqlite,postgres}/NAME.sql` of the calling crate.
#[macro_export]
macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        &[$($crate::db::Migration {
            name: $name,
            sqlite: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres/", $name, ".sql")),
        }),+]
    };
}

/// Why a schema cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer program has been here.
    #[error(
        "the database of `{role}` holds migration `{name}`, which this program does not know; \
         start the newer program, or restore a backup"
    )]
    Newer {
        /// Whose database.
        role: &'static str,
        /// What is not known.
        name: String,
    },
    /// A migration, or the database, failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The tables that every role has: outbox, inbox, failures, idempotency records and leases.
pub const PLATFORM: &[Migration] = crate::migrations!["0001_platform"];

pub(super) async fn migrate(
    db: &Db,
    migrations: &'static [Migration],
) -> Result<Vec<String>, MigrateError> {
    let role = db.role();
    db.write(move |tx| async move {
        lock(&tx).await?;
        let missing = missing(&tx, role, migrations).await?;
        for (origin, migration) in &missing {
            tx.script(if tx.on_sqlite() {
                migration.sqlite
            } else {
                migration.postgres
            })
            .await?;
            tx.exec(
                sql!(
                    "INSERT INTO schema_migrations (origin, name, applied_at) VALUES ($1, $2, $3)"
                ),
                params![*origin, migration.name, tx.sources().now()],
            )
            .await?;
        }
        Ok(names(&missing))
    })
    .await
}

pub(super) async fn pending(
    db: &Db,
    migrations: &'static [Migration],
) -> Result<Vec<String>, MigrateError> {
    let role = db.role();
    db.write(move |tx| async move {
        lock(&tx).await?;
        Ok(names(&missing(&tx, role, migrations).await?))
    })
    .await
}

/// One instance at a time. SQLite's writer holds the file's lock anyway.
async fn lock(tx: &Tx) -> Result<(), DbError> {
    if !tx.on_sqlite() {
        tx.script("SELECT pg_advisory_xact_lock(hashtext(current_schema()))")
            .await?;
    }
    tx.script(if tx.on_sqlite() {
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             origin TEXT NOT NULL, name TEXT NOT NULL, applied_at INTEGER NOT NULL,
             PRIMARY KEY (origin, name)
         ) STRICT"
    } else {
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             origin text NOT NULL, name text NOT NULL, applied_at timestamptz NOT NULL,
             PRIMARY KEY (origin, name)
         )"
    })
    .await
}

type Step = (&'static str, &'static Migration);

async fn missing(
    tx: &Tx,
    role: &'static str,
    migrations: &'static [Migration],
) -> Result<Vec<Step>, MigrateError> {
    let applied: Vec<(String, String)> = tx
        .all(sql!("SELECT origin, name FROM schema_migrations"), &[])
        .await?;
    let platform = PLATFORM.iter().map(|migration| ("platform", migration));
    let own = migrations.iter().map(|migration| (role, migration));
    let mut steps: BTreeMap<(String, String), Step> = BTreeMap::new();
    for (origin, migration) in platform.chain(own) {
        steps.insert(
            (origin.to_owned(), migration.name.to_owned()),
            (origin, migration),
        );
    }
    for key in applied {
        if steps.remove(&key).is_none() {
            return Err(MigrateError::Newer { role, name: key.1 });
        }
    }
    // The platform's first, then by number.
    let mut missing: Vec<Step> = steps.into_values().collect();
    missing.sort_by_key(|(origin, migration)| (*origin != "platform", migration.name));
    Ok(missing)
}

fn names(steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .map(|(origin, migration)| format!("{origin}/{}", migration.name))
        .collect()
}
