//! Address books.

use contracts::user::AddressId;
use kernel::CustomerId;
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

use crate::model::SavedAddress;

from_row!(SavedAddress {
    id,
    address,
    version,
    created_at,
    updated_at
});

/// Addresses of a customer after `after`, the oldest first.
pub(crate) async fn addresses(
    tx: &Tx,
    customer: CustomerId,
    after: AddressId,
    rows: i64,
) -> Result<Vec<SavedAddress>, DbError> {
    tx.all(
        sql!(
            "SELECT id, address, version, created_at, updated_at FROM addresses
             WHERE customer_id = $1 AND id > $2 ORDER BY id LIMIT $3"
        ),
        params![customer, after, rows],
    )
    .await
}

pub(crate) async fn address(
    tx: &Tx,
    customer: CustomerId,
    id: AddressId,
) -> Result<Option<SavedAddress>, DbError> {
    tx.one(
        sql!(
            "SELECT id, address, version, created_at, updated_at FROM addresses
             WHERE customer_id = $1 AND id = $2"
        ),
        params![customer, id],
    )
    .await
}

/// The address, which nobody else changes until the transaction ends.
pub(crate) async fn lock_address(
    tx: &Tx,
    customer: CustomerId,
    id: AddressId,
) -> Result<Option<SavedAddress>, DbError> {
    tx.one(
        // SQLite has one writer.
        sql!(
            sqlite: "SELECT id, address, version, created_at, updated_at FROM addresses
                     WHERE customer_id = $1 AND id = $2",
            postgres: "SELECT id, address, version, created_at, updated_at FROM addresses
                       WHERE customer_id = $1 AND id = $2 FOR UPDATE"
        ),
        params![customer, id],
    )
    .await
}

/// How many addresses a customer has.
pub(crate) async fn count_addresses(tx: &Tx, customer: CustomerId) -> Result<i64, DbError> {
    let select = sql!("SELECT COUNT(*) FROM addresses WHERE customer_id = $1");
    let row: Option<(i64,)> = tx.one(select, params![customer]).await?;
    Ok(row.map_or(0, |row| row.0))
}

pub(crate) async fn add_address(
    tx: &Tx,
    customer: CustomerId,
    saved: &SavedAddress,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO addresses (customer_id, id, address, version, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6)"
        ),
        params![
            customer,
            saved.id,
            saved.address,
            saved.version,
            saved.created_at,
            saved.updated_at
        ],
    )
    .await
}

pub(crate) async fn save_address(
    tx: &Tx,
    customer: CustomerId,
    saved: &SavedAddress,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "UPDATE addresses SET address = $3, version = $4, updated_at = $5
             WHERE customer_id = $1 AND id = $2"
        ),
        params![
            customer,
            saved.id,
            saved.address,
            saved.version,
            saved.updated_at
        ],
    )
    .await
}

pub(crate) async fn remove_address(
    tx: &Tx,
    customer: CustomerId,
    id: AddressId,
) -> Result<(), DbError> {
    tx.run(
        sql!("DELETE FROM addresses WHERE customer_id = $1 AND id = $2"),
        params![customer, id],
    )
    .await
}
