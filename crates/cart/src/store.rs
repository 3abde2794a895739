//! Every statement of the cart service.
//!
//! What another store of carts would have to offer is the first half: load, insert, save if nobody
//! else has, and the current cart of a customer. [`lock`] is a kindness to that: it makes the ones
//! who change a cart at the same time wait for each other, so that none has to begin anew.

use contracts::cart::CartId;
use kernel::{CustomerId, Json, Scalar, Timestamp};
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};
use uuid::Uuid;

use crate::model::Cart;
use crate::promotion::Promotion;

from_row!(Cart {
    id,
    customer_id,
    order_id,
    version,
    state,
    currency,
    content,
    created_at,
    updated_at,
    expires_at
});

from_row!(Promotion {
    code,
    rate,
    amounts,
    min_subtotals,
    starts_at,
    ends_at,
    created_at
});

pub(crate) async fn load(tx: &Tx, id: CartId) -> Result<Option<Cart>, DbError> {
    tx.one(
        sql!(
            "SELECT id, customer_id, order_id, version, state, currency, content, created_at,
                    updated_at, expires_at
             FROM carts WHERE id = $1"
        ),
        params![id],
    )
    .await
}

/// Loads a cart that is about to be changed. On SQLite only one writes at a time anyway.
pub(crate) async fn lock(tx: &Tx, id: CartId) -> Result<Option<Cart>, DbError> {
    tx.one(
        sql!(
            sqlite: "SELECT id, customer_id, order_id, version, state, currency, content,
                            created_at, updated_at, expires_at
                     FROM carts WHERE id = $1",
            postgres: "SELECT id, customer_id, order_id, version, state, currency, content,
                              created_at, updated_at, expires_at
                       FROM carts WHERE id = $1 FOR UPDATE"
        ),
        params![id],
    )
    .await
}

/// Adds a cart; `false` if there is one with its id.
pub(crate) async fn insert(tx: &Tx, cart: &Cart) -> Result<bool, DbError> {
    let added = tx
        .exec(
            sql!(
                "INSERT INTO carts (id, customer_id, order_id, version, state, currency, content,
                                    created_at, updated_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING"
            ),
            params![
                cart.id,
                cart.customer_id,
                cart.order_id,
                cart.version,
                cart.state,
                cart.currency,
                cart.content,
                cart.created_at,
                cart.updated_at,
                cart.expires_at
            ],
        )
        .await?;
    Ok(added == 1)
}

/// Saves a cart in its next version; `false` if it is not in the version before any more.
pub(crate) async fn save(tx: &Tx, cart: &Cart) -> Result<bool, DbError> {
    let saved = tx
        .exec(
            sql!(
                "UPDATE carts SET customer_id = $3, version = $4, state = $5, content = $6,
                                  updated_at = $7, expires_at = $8
                 WHERE id = $1 AND version = $2"
            ),
            params![
                cart.id,
                cart.version - 1,
                cart.customer_id,
                cart.version,
                cart.state,
                cart.content,
                cart.updated_at,
                cart.expires_at
            ],
        )
        .await?;
    Ok(saved == 1)
}

/// Saves the content of a locked cart without a new version: what clients see has not changed.
pub(crate) async fn note(tx: &Tx, cart: &Cart) -> Result<(), DbError> {
    let update = sql!("UPDATE carts SET content = $3 WHERE id = $1 AND version = $2");
    tx.run(update, params![cart.id, cart.version, cart.content])
        .await
}

/// The cart that a customer chose last. It may be gone, completed or somebody else's by now.
pub(crate) async fn current(tx: &Tx, customer: CustomerId) -> Result<Option<CartId>, DbError> {
    let select = sql!("SELECT cart_id FROM current_carts WHERE customer_id = $1");
    let row: Option<(CartId,)> = tx.one(select, params![customer]).await?;
    Ok(row.map(|row| row.0))
}

/// Makes a cart, which is the customer's since `owned_at`, their current one, unless that is one
/// that became theirs later: then this is an old request that comes again.
pub(crate) async fn make_current(
    tx: &Tx,
    customer: CustomerId,
    id: CartId,
    owned_at: Timestamp,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO current_carts (customer_id, cart_id, owned_at) VALUES ($1, $2, $3)
             ON CONFLICT (customer_id) DO UPDATE SET cart_id = $2, owned_at = $3
             WHERE current_carts.owned_at <= $3"
        ),
        params![customer, id, owned_at],
    )
    .await
}

/// Lets a customer have no current cart, if it is this one.
pub(crate) async fn forget_current(
    tx: &Tx,
    customer: CustomerId,
    id: CartId,
) -> Result<(), DbError> {
    let delete = sql!("DELETE FROM current_carts WHERE customer_id = $1 AND cart_id = $2");
    tx.run(delete, params![customer, id]).await
}

/// Takes expired carts away, at most `limit`; returns which, and whose they were.
pub(crate) async fn sweep(
    tx: &Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(CartId, Option<CustomerId>)>, DbError> {
    tx.all(
        sql!(
            "DELETE FROM carts WHERE expires_at <= $1 AND id IN (
                 SELECT id FROM carts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
             RETURNING id, customer_id"
        ),
        params![now, limit],
    )
    .await
}

/// Lets customers have no current cart, where it is one of those.
pub(crate) async fn forget_swept(
    tx: &Tx,
    customers: &[Uuid],
    carts: &[Uuid],
) -> Result<(), DbError> {
    tx.run(
        sql!(
            sqlite: "DELETE FROM current_carts
                     WHERE customer_id IN rarray($1) AND cart_id IN rarray($2)",
            postgres: "DELETE FROM current_carts
                       WHERE customer_id = ANY($1) AND cart_id = ANY($2)"
        ),
        &[Scalar::Uuids(customers.into()), Scalar::Uuids(carts.into())],
    )
    .await
}

/// The promotions with these codes.
pub(crate) async fn promotions(tx: &Tx, codes: &[String]) -> Result<Vec<Promotion>, DbError> {
    tx.all(
        sql!(
            sqlite: "SELECT code, rate, amounts, min_subtotals, starts_at, ends_at, created_at
                     FROM promotions WHERE code IN (SELECT value FROM json_each($1))",
            postgres: "SELECT code, rate, amounts, min_subtotals, starts_at, ends_at, created_at
                       FROM promotions
                       WHERE code IN (SELECT value FROM json_array_elements_text($1::json))"
        ),
        params![Json(codes.to_vec())],
    )
    .await
}

/// Adds a promotion; `false` if there is one with its code.
pub(crate) async fn add_promotion(tx: &Tx, promotion: &Promotion) -> Result<bool, DbError> {
    let added = tx
        .exec(
            sql!(
                "INSERT INTO promotions (code, rate, amounts, min_subtotals, starts_at, ends_at,
                                         created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
            ),
            params![
                promotion.code,
                promotion.rate,
                promotion.amounts,
                promotion.min_subtotals,
                promotion.starts_at,
                promotion.ends_at,
                promotion.created_at
            ],
        )
        .await?;
    Ok(added == 1)
}

/// Promotions by their code, those after `after`.
pub(crate) async fn promotions_page(
    tx: &Tx,
    after: Option<&str>,
    rows: i64,
) -> Result<Vec<Promotion>, DbError> {
    // No code is empty.
    let after = after.unwrap_or_default();
    tx.all(
        sql!(
            "SELECT code, rate, amounts, min_subtotals, starts_at, ends_at, created_at
             FROM promotions WHERE code > $1 ORDER BY code LIMIT $2"
        ),
        params![after, rows],
    )
    .await
}

/// Takes a promotion away; `false` if there is none.
pub(crate) async fn remove_promotion(tx: &Tx, code: &str) -> Result<bool, DbError> {
    let delete = sql!("DELETE FROM promotions WHERE code = $1");
    Ok(tx.exec(delete, params![code]).await? == 1)
}
