//! Tokens of mails.

use kernel::{CustomerId, Timestamp};
use platform::db::{DbError, Tx};
use platform::{params, sql};

use crate::mail_token::{MailToken, Purpose};

/// Keeps a token; the one of before, for the same purpose, counts no more.
pub(crate) async fn keep_mail_token(
    tx: &Tx,
    token: &MailToken,
    purpose: Purpose,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO mail_tokens (customer_id, purpose, token_hash, expires_at)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (customer_id, purpose) DO UPDATE SET token_hash = $3, expires_at = $4"
        ),
        params![token.customer, purpose, token.hash(), expires_at],
    )
    .await
}

/// Whether a token counts at present.
pub(crate) async fn counts_mail_token(
    tx: &Tx,
    token: &MailToken,
    purpose: Purpose,
) -> Result<bool, DbError> {
    let select = sql!(
        "SELECT expires_at FROM mail_tokens
         WHERE customer_id = $1 AND purpose = $2 AND token_hash = $3 AND expires_at > $4"
    );
    let row: Option<(Timestamp,)> = tx
        .one(
            select,
            params![token.customer, purpose, token.hash(), tx.sources().now()],
        )
        .await?;
    Ok(row.is_some())
}

/// Uses a token up; `false` if it did not count.
pub(crate) async fn spend_mail_token(
    tx: &Tx,
    token: &MailToken,
    purpose: Purpose,
) -> Result<bool, DbError> {
    let spent = tx
        .exec(
            sql!(
                "DELETE FROM mail_tokens
                 WHERE customer_id = $1 AND purpose = $2 AND token_hash = $3 AND expires_at > $4"
            ),
            params![token.customer, purpose, token.hash(), tx.sources().now()],
        )
        .await?;
    Ok(spent == 1)
}

/// Lets no token of a purpose count any more.
pub(crate) async fn withdraw_mail_token(
    tx: &Tx,
    customer: CustomerId,
    purpose: Purpose,
) -> Result<(), DbError> {
    tx.run(
        sql!("DELETE FROM mail_tokens WHERE customer_id = $1 AND purpose = $2"),
        params![customer, purpose],
    )
    .await
}

/// Forgets tokens that have expired, up to `limit`; returns how many.
pub(crate) async fn sweep_mail_tokens(tx: &Tx, now: Timestamp, limit: i64) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            "DELETE FROM mail_tokens WHERE (customer_id, purpose) IN (
                 SELECT customer_id, purpose FROM mail_tokens WHERE expires_at <= $1 LIMIT $2)"
        ),
        params![now, limit],
    )
    .await
}
