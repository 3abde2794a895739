//! Log-ins.

use kernel::identity::SessionId;
use kernel::{Id, Timestamp};
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};
use uuid::Uuid;

use crate::session::{Owner, RefreshToken, Session};

from_row!(Session {
    token_hash,
    previous_hash,
    salt,
    refreshed_at,
    expires_at
});

/// The session that a token names, which nobody else changes until the transaction ends.
pub(crate) async fn lock_session(
    tx: &Tx,
    token: &RefreshToken,
) -> Result<Option<Session>, DbError> {
    tx.one(
        // SQLite has one writer.
        sql!(
            sqlite: "SELECT token_hash, previous_hash, salt, refreshed_at, expires_at
                     FROM sessions WHERE owner_id = $1 AND id = $2",
            postgres: "SELECT token_hash, previous_hash, salt, refreshed_at, expires_at
                       FROM sessions WHERE owner_id = $1 AND id = $2 FOR UPDATE"
        ),
        params![token.owner.uuid(), token.session],
    )
    .await
}

/// Begins the session that a token stands for.
pub(crate) async fn add_session(
    tx: &Tx,
    token: &RefreshToken,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO sessions (owner_id, id, token_hash, created_at, refreshed_at, expires_at)
             VALUES ($1, $2, $3, $4, $4, $5)"
        ),
        params![
            token.owner.uuid(),
            token.session,
            token.hash(),
            tx.sources().now(),
            expires_at
        ],
    )
    .await
}

/// Ends all but the `keep` sessions of `owner` that were used last.
pub(crate) async fn trim_sessions(tx: &Tx, owner: Owner, keep: u32) -> Result<(), DbError> {
    tx.run(
        sql!(
            "DELETE FROM sessions WHERE owner_id = $1 AND id NOT IN (
                 SELECT id FROM sessions WHERE owner_id = $1
                 ORDER BY refreshed_at DESC, id DESC LIMIT $2)"
        ),
        params![owner.uuid(), keep],
    )
    .await
}

/// Goes on with the token that `salt` derives from the present one.
pub(crate) async fn rotate_session(
    tx: &Tx,
    present: &RefreshToken,
    salt: &[u8],
    expires_at: Timestamp,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "UPDATE sessions SET token_hash = $3, previous_hash = $4, salt = $5,
                                 refreshed_at = $6, expires_at = $7
             WHERE owner_id = $1 AND id = $2"
        ),
        params![
            present.owner.uuid(),
            present.session,
            present.next(salt).hash(),
            present.hash(),
            salt.to_vec(),
            tx.sources().now(),
            expires_at
        ],
    )
    .await
}

/// From now on the token before the present one counts as used.
pub(crate) async fn forget_previous(tx: &Tx, token: &RefreshToken) -> Result<(), DbError> {
    tx.run(
        sql!(
            "UPDATE sessions SET previous_hash = NULL, salt = NULL
             WHERE owner_id = $1 AND id = $2"
        ),
        params![token.owner.uuid(), token.session],
    )
    .await
}

pub(crate) async fn end_session(tx: &Tx, owner: Owner, session: SessionId) -> Result<(), DbError> {
    tx.run(
        sql!("DELETE FROM sessions WHERE owner_id = $1 AND id = $2"),
        params![owner.uuid(), session],
    )
    .await
}

/// Ends every session of `owner`, except one if it is named.
pub(crate) async fn end_sessions(
    tx: &Tx,
    owner: Owner,
    except: Option<SessionId>,
) -> Result<(), DbError> {
    let kept = except.map_or(Uuid::nil(), Id::uuid);
    tx.run(
        sql!("DELETE FROM sessions WHERE owner_id = $1 AND id <> $2"),
        params![owner.uuid(), kept],
    )
    .await
}

/// Forgets sessions that have expired, up to `limit`; returns how many.
pub(crate) async fn sweep_sessions(tx: &Tx, now: Timestamp, limit: i64) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            "DELETE FROM sessions WHERE (owner_id, id) IN (
                 SELECT owner_id, id FROM sessions WHERE expires_at <= $1 LIMIT $2)"
        ),
        params![now, limit],
    )
    .await
}
