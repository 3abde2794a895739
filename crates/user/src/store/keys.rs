//! Signing keys.

use kernel::Timestamp;
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

/// A signing key, as the database keeps it.
pub(crate) struct KeyRow {
    pub(crate) kid: String,
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) signs_from: Timestamp,
}

from_row!(KeyRow {
    kid,
    pkcs8,
    signs_from
});

/// Adds a signing key if there is none.
pub(crate) async fn add_first_key(tx: &Tx, kid: &str, pkcs8: Vec<u8>) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO signing_keys (kid, pkcs8, signs_from, created_at)
             SELECT $1, $2, $3, $3 WHERE NOT EXISTS (SELECT 1 FROM signing_keys)"
        ),
        params![kid, pkcs8, tx.sources().now()],
    )
    .await
}

/// Adds a signing key that signs from `signs_from`.
pub(crate) async fn add_key(
    tx: &Tx,
    kid: &str,
    pkcs8: Vec<u8>,
    signs_from: Timestamp,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO signing_keys (kid, pkcs8, signs_from, created_at)
             VALUES ($1, $2, $3, $4)"
        ),
        params![kid, pkcs8, signs_from, tx.sources().now()],
    )
    .await
}

/// All signing keys, the youngest first.
pub(crate) async fn signing_keys(tx: &Tx) -> Result<Vec<KeyRow>, DbError> {
    let select =
        sql!("SELECT kid, pkcs8, signs_from FROM signing_keys ORDER BY signs_from DESC, kid");
    tx.all(select, &[]).await
}

/// Forgets the keys that have not signed since `before`.
pub(crate) async fn retire_keys(tx: &Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            "DELETE FROM signing_keys WHERE signs_from < (
                 SELECT MAX(signs_from) FROM signing_keys WHERE signs_from <= $1)"
        ),
        params![before],
    )
    .await
}
