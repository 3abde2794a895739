//! Every statement of the user service.

use kernel::{CustomerId, Email, Json, StaffId, StaffRole, Timestamp};
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

use crate::mail_token::Purpose;
use crate::model::Customer;

from_row!(Customer {
    id,
    email,
    name,
    email_verified_at,
    version,
    created_at
});

pub(crate) async fn customer(tx: &Tx, id: CustomerId) -> Result<Option<Customer>, DbError> {
    tx.one(
        sql!(
            "SELECT id, email, name, email_verified_at, version, created_at
             FROM customers WHERE id = $1"
        ),
        params![id],
    )
    .await
}

/// Claims an address for `id` unless somebody else has it; returns whose it is now.
pub(crate) async fn claim_email(
    tx: &Tx,
    email: &Email,
    id: CustomerId,
) -> Result<CustomerId, DbError> {
    let claimed = tx
        .exec(
            sql!(
                "INSERT INTO customer_emails (email, customer_id, claimed_at) VALUES ($1, $2, $3)
                 ON CONFLICT DO NOTHING"
            ),
            params![email, id, tx.sources().now()],
        )
        .await?;
    if claimed == 1 {
        return Ok(id);
    }
    let select = sql!("SELECT customer_id FROM customer_emails WHERE email = $1");
    let owner: Option<(CustomerId,)> = tx.one(select, params![email]).await?;
    Ok(owner.map_or(id, |row| row.0))
}

/// Adds a customer; `false` if they exist.
pub(crate) async fn add_customer(
    tx: &Tx,
    customer: &Customer,
    password_hash: &str,
) -> Result<bool, DbError> {
    let Customer {
        id,
        email,
        name,
        email_verified_at,
        version,
        created_at,
    } = customer;
    let added = tx
        .exec(
            sql!(
                "INSERT INTO customers (id, email, name, password_hash, email_verified_at, version,
                                        created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT DO NOTHING"
            ),
            params![
                id,
                email,
                name,
                password_hash,
                email_verified_at,
                version,
                created_at
            ],
        )
        .await?;
    Ok(added == 1)
}

pub(crate) async fn add_mail_token(
    tx: &Tx,
    customer: CustomerId,
    hash: Vec<u8>,
    purpose: Purpose,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO mail_tokens (customer_id, token_hash, purpose, expires_at)
             VALUES ($1, $2, $3, $4)"
        ),
        params![customer, hash, purpose, expires_at],
    )
    .await
}

/// Adds a signing key if there is none.
pub(crate) async fn add_first_key(tx: &Tx, kid: &str, pkcs8: Vec<u8>) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO signing_keys (kid, pkcs8, created_at)
             SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM signing_keys)"
        ),
        params![kid, pkcs8, tx.sources().now()],
    )
    .await
}

/// All signing keys, the one that signs first.
pub(crate) async fn signing_keys(tx: &Tx) -> Result<Vec<Vec<u8>>, DbError> {
    let select = sql!("SELECT pkcs8 FROM signing_keys ORDER BY created_at, kid");
    let rows: Vec<(Vec<u8>,)> = tx.all(select, &[]).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Adds a member of staff; `false` if the address is taken.
pub(crate) async fn add_staff(
    tx: &Tx,
    id: StaffId,
    email: &Email,
    name: &str,
    password_hash: &str,
    roles: Vec<StaffRole>,
) -> Result<bool, DbError> {
    let added = tx
        .exec(
            sql!(
                "INSERT INTO staff (id, email, name, password_hash, roles, active, version,
                                    created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7) ON CONFLICT DO NOTHING"
            ),
            params![
                id,
                email,
                name,
                password_hash,
                Json(roles),
                true,
                tx.sources().now()
            ],
        )
        .await?;
    Ok(added == 1)
}
