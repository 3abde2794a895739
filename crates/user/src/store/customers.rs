//! Customers, and whose each e-mail address is.

use kernel::{CustomerId, Email};
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

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

/// The customer, whom nobody else changes until the transaction ends.
pub(crate) async fn lock_customer(tx: &Tx, id: CustomerId) -> Result<Option<Customer>, DbError> {
    tx.one(
        // SQLite has one writer.
        sql!(
            sqlite: "SELECT id, email, name, email_verified_at, version, created_at
                     FROM customers WHERE id = $1",
            postgres: "SELECT id, email, name, email_verified_at, version, created_at
                       FROM customers WHERE id = $1 FOR UPDATE"
        ),
        params![id],
    )
    .await
}

/// The hash of a customer's password, which nobody changes until the transaction ends.
pub(crate) async fn lock_password(tx: &Tx, id: CustomerId) -> Result<Option<String>, DbError> {
    let row: Option<(String,)> = tx
        .one(
            sql!(
                sqlite: "SELECT password_hash FROM customers WHERE id = $1",
                postgres: "SELECT password_hash FROM customers WHERE id = $1 FOR SHARE"
            ),
            params![id],
        )
        .await?;
    Ok(row.map(|row| row.0))
}

/// The hash of a customer's password.
pub(crate) async fn password(tx: &Tx, id: CustomerId) -> Result<Option<String>, DbError> {
    let select = sql!("SELECT password_hash FROM customers WHERE id = $1");
    let row: Option<(String,)> = tx.one(select, params![id]).await?;
    Ok(row.map(|row| row.0))
}

/// Customers before `before`, the newest first.
pub(crate) async fn customers(
    tx: &Tx,
    before: CustomerId,
    rows: i64,
) -> Result<Vec<Customer>, DbError> {
    tx.all(
        sql!(
            "SELECT id, email, name, email_verified_at, version, created_at
             FROM customers WHERE id < $1 ORDER BY id DESC LIMIT $2"
        ),
        params![before, rows],
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
    Ok(email_owner(tx, email).await?.unwrap_or(id))
}

/// Whose an address is. They may not have finished registering.
pub(crate) async fn email_owner(tx: &Tx, email: &Email) -> Result<Option<CustomerId>, DbError> {
    let select = sql!("SELECT customer_id FROM customer_emails WHERE email = $1");
    let row: Option<(CustomerId,)> = tx.one(select, params![email]).await?;
    Ok(row.map(|row| row.0))
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

/// Keeps what has changed of a customer.
pub(crate) async fn save_customer(tx: &Tx, customer: &Customer) -> Result<(), DbError> {
    tx.run(
        sql!(
            "UPDATE customers SET name = $2, email_verified_at = $3, version = $4, updated_at = $5
             WHERE id = $1"
        ),
        params![
            customer.id,
            customer.name,
            customer.email_verified_at,
            customer.version,
            tx.sources().now()
        ],
    )
    .await
}

pub(crate) async fn set_password(
    tx: &Tx,
    id: CustomerId,
    password_hash: &str,
) -> Result<(), DbError> {
    tx.run(
        sql!("UPDATE customers SET password_hash = $2, updated_at = $3 WHERE id = $1"),
        params![id, password_hash, tx.sources().now()],
    )
    .await
}
