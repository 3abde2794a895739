//! Every statement of the order service; those of the test provider's book are with it.

use contracts::order::OrderId;
use kernel::{CustomerId, Id, Problem, Scalar, Timestamp};
use platform::db::{DbError, FromRow, Row, Tx};
use platform::http::Reply;
use platform::idempotency::IdempotentRequest;
use platform::{from_row, params, sql};
use uuid::Uuid;

use crate::model::Order;

from_row!(Order {
    id,
    cart_id,
    customer_id,
    email,
    state,
    version,
    attempt,
    provider,
    payment_token,
    payment,
    content,
    created_at,
    placed_at,
    updated_at,
});

/// An order, and the request that its present try belongs to.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) order: Order,
    scope: String,
    fingerprint: Vec<u8>,
    answer: Option<(u16, String)>,
    lease_until: Option<Timestamp>,
}

impl FromRow for Begun {
    fn from_row(row: &Row<'_>) -> Result<Self, DbError> {
        let status: Option<u16> = row.get(16)?;
        let body: Option<String> = row.get(17)?;
        Ok(Self {
            order: Order::from_row(row)?,
            scope: row.get(14)?,
            fingerprint: row.get(15)?,
            answer: status.zip(body),
            lease_until: row.get(18)?,
        })
    }
}

impl Begun {
    /// Whether the present try belongs to `request`; `None` if to another key, `false` if to the
    /// same key with another payload.
    pub(crate) fn belongs_to(&self, request: &IdempotentRequest) -> Option<bool> {
        let same = request.scope() == Some(self.scope.as_str());
        same.then(|| request.matches(&self.fingerprint))
    }

    /// The answer that the request got.
    pub(crate) fn answer(&self) -> Option<Reply> {
        self.answer
            .clone()
            .map(|(status, body)| Reply::replay(status, body))
    }

    /// Whether nobody works on it any more.
    pub(crate) fn abandoned(&self, now: Timestamp) -> bool {
        self.lease_until.is_some_and(|until| until <= now)
    }
}

/// Records the intent to place `order`; `false` if there is such an order already.
pub(crate) async fn begin(
    tx: &Tx,
    order: &Order,
    request: &IdempotentRequest,
    lease_until: Option<Timestamp>,
    answer: Option<&Reply>,
) -> Result<bool, DbError> {
    let inserted = tx
        .exec(
            sql!(
                "INSERT INTO orders (id, cart_id, customer_id, email, state, version, attempt,
                                     provider, payment_token, payment, content, created_at,
                                     placed_at, updated_at, scope, fingerprint, lease_until,
                                     answer_status, answer)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                         $17, $18, $19)
                 ON CONFLICT DO NOTHING"
            ),
            params![
                order.id,
                order.cart_id,
                order.customer_id,
                order.email,
                order.state,
                order.version,
                order.attempt,
                order.provider,
                order.payment_token,
                order.payment,
                order.content,
                order.created_at,
                order.placed_at,
                order.updated_at,
                request.scope().unwrap_or_default(),
                request.fingerprint().to_vec(),
                lease_until,
                answer.map(|reply| reply.status().as_u16()),
                answer.map(text)
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// Begins another try: everything that the cart may have changed is written anew. `false` if the
/// order has moved on from the version before.
pub(crate) async fn begin_again(
    tx: &Tx,
    order: &Order,
    request: &IdempotentRequest,
    lease_until: Timestamp,
) -> Result<bool, DbError> {
    let updated = tx
        .exec(
            sql!(
                "UPDATE orders
                 SET customer_id = $3, email = $4, state = $5, version = $6, attempt = $7,
                     provider = $8, payment_token = $9, payment = $10, content = $11,
                     updated_at = $12, scope = $13, fingerprint = $14, lease_until = $15,
                     answer_status = NULL, answer = NULL
                 WHERE id = $1 AND version = $2"
            ),
            params![
                order.id,
                order.version - 1,
                order.customer_id,
                order.email,
                order.state,
                order.version,
                order.attempt,
                order.provider,
                order.payment_token,
                order.payment,
                order.content,
                order.updated_at,
                request.scope().unwrap_or_default(),
                request.fingerprint().to_vec(),
                lease_until
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// Leaves an order that nobody works on alone until `until`.
pub(crate) async fn look_again(tx: &Tx, id: OrderId, until: Timestamp) -> Result<(), DbError> {
    tx.run(
        sql!("UPDATE orders SET lease_until = $2 WHERE id = $1 AND lease_until <= $3"),
        params![id, until, tx.sources().now()],
    )
    .await
}

/// Moves an order on: from the version before, with an answer for the request if it has none yet,
/// and with a lease if somebody has yet to work on it. `false` if it has moved on already.
pub(crate) async fn advance(
    tx: &Tx,
    order: &Order,
    lease_until: Option<Timestamp>,
    answer: Option<&Reply>,
) -> Result<bool, DbError> {
    let updated = tx
        .exec(
            sql!(
                "UPDATE orders
                 SET state = $3, version = $4, payment = $5, content = $6, placed_at = $7,
                     updated_at = $8, lease_until = $9,
                     answer_status = COALESCE(answer_status, $10), answer = COALESCE(answer, $11)
                 WHERE id = $1 AND version = $2"
            ),
            params![
                order.id,
                order.version - 1,
                order.state,
                order.version,
                order.payment,
                order.content,
                order.placed_at,
                order.updated_at,
                lease_until,
                answer.map(|reply| reply.status().as_u16()),
                answer.map(text)
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// Keeps the answer of a try that has failed in the same transaction.
pub(crate) async fn keep_failure(tx: &Tx, id: OrderId, problem: &Problem) -> Result<(), DbError> {
    let answer = serde_json::to_string(problem).expect("problems are plain data");
    tx.run(
        sql!(
            "INSERT INTO order_attempts (order_id, scope, fingerprint, status, answer, failed_at)
             SELECT id, scope, fingerprint, $2, $3, $4 FROM orders WHERE id = $1
             ON CONFLICT DO NOTHING"
        ),
        params![id, problem.status, answer, tx.sources().now()],
    )
    .await
}

/// What `request` has come to in an earlier try that failed: whether its payload was the same,
/// and its answer.
pub(crate) async fn failure(
    tx: &Tx,
    id: OrderId,
    request: &IdempotentRequest,
) -> Result<Option<(bool, Reply)>, DbError> {
    let kept: Option<(Vec<u8>, u16, String)> = tx
        .one(
            sql!(
                "SELECT fingerprint, status, answer FROM order_attempts
                 WHERE order_id = $1 AND scope = $2"
            ),
            params![id, request.scope().unwrap_or_default()],
        )
        .await?;
    Ok(kept.map(|(fingerprint, status, answer)| {
        (request.matches(&fingerprint), Reply::replay(status, answer))
    }))
}

/// An order with the request that it belongs to.
pub(crate) async fn begun(tx: &Tx, id: OrderId) -> Result<Option<Begun>, DbError> {
    tx.one(
        sql!(
            "SELECT id, cart_id, customer_id, email, state, version, attempt, provider,
                    payment_token, payment, content, created_at, placed_at, updated_at, scope,
                    fingerprint, answer_status, answer, lease_until
             FROM orders WHERE id = $1"
        ),
        params![id],
    )
    .await
}

pub(crate) async fn exists(tx: &Tx, id: OrderId) -> Result<bool, DbError> {
    let found: Option<(OrderId,)> = tx
        .one(sql!("SELECT id FROM orders WHERE id = $1"), params![id])
        .await?;
    Ok(found.is_some())
}

pub(crate) async fn order(tx: &Tx, id: OrderId) -> Result<Option<Order>, DbError> {
    tx.one(
        sql!(
            "SELECT id, cart_id, customer_id, email, state, version, attempt, provider,
                    payment_token, payment, content, created_at, placed_at, updated_at
             FROM orders WHERE id = $1"
        ),
        params![id],
    )
    .await
}

/// Orders that nobody works on and that are not settled, the longest waiting first.
pub(crate) async fn abandoned(tx: &Tx, now: Timestamp) -> Result<Vec<Order>, DbError> {
    tx.all(
        sql!(
            "SELECT id, cart_id, customer_id, email, state, version, attempt, provider,
                    payment_token, payment, content, created_at, placed_at, updated_at
             FROM orders WHERE lease_until <= $1 ORDER BY lease_until LIMIT 100"
        ),
        params![now],
    )
    .await
}

/// A page of all orders, the youngest first.
pub(crate) async fn page(
    tx: &Tx,
    state: Option<contracts::order::OrderState>,
    after: Option<(Timestamp, OrderId)>,
    limit: i64,
) -> Result<Vec<Order>, DbError> {
    let (time, id) = after.unzip();
    tx.all(
        sql!(
            "SELECT id, cart_id, customer_id, email, state, version, attempt, provider,
                    payment_token, payment, content, created_at, placed_at, updated_at
             FROM orders
             WHERE (CAST($1 AS text) IS NULL OR state = $1)
               AND (CAST($2 AS timestamptz) IS NULL OR (created_at, id) < ($2, $3))
             ORDER BY created_at DESC, id DESC LIMIT $4"
        ),
        params![state, time, id, limit],
    )
    .await
}

/// A page of the orders that a customer has placed, the youngest first: when and which.
pub(crate) async fn customer_page(
    tx: &Tx,
    customer: CustomerId,
    after: Option<(Timestamp, OrderId)>,
    limit: i64,
) -> Result<Vec<(Timestamp, OrderId)>, DbError> {
    let (time, id) = after.unzip();
    tx.all(
        sql!(
            "SELECT placed_at, order_id FROM customer_orders
             WHERE customer_id = $1
               AND (CAST($2 AS timestamptz) IS NULL OR (placed_at, order_id) < ($2, $3))
             ORDER BY placed_at DESC, order_id DESC LIMIT $4"
        ),
        params![customer, time, id, limit],
    )
    .await
}

/// Orders by their ids, in any order.
pub(crate) async fn orders(tx: &Tx, ids: &[OrderId]) -> Result<Vec<Order>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    tx.all(
        sql!(
            sqlite: "SELECT id, cart_id, customer_id, email, state, version, attempt, provider,
                            payment_token, payment, content, created_at, placed_at, updated_at
                     FROM orders WHERE id IN rarray($1)",
            postgres: "SELECT id, cart_id, customer_id, email, state, version, attempt, provider,
                              payment_token, payment, content, created_at, placed_at, updated_at
                       FROM orders WHERE id = ANY($1)"
        ),
        &[Scalar::Uuids(ids.into())],
    )
    .await
}

pub(crate) async fn add_customer_order(
    tx: &Tx,
    customer: CustomerId,
    placed_at: Timestamp,
    order: OrderId,
) -> Result<(), DbError> {
    tx.run(
        sql!(
            "INSERT INTO customer_orders (customer_id, placed_at, order_id) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING"
        ),
        params![customer, placed_at, order],
    )
    .await
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.body()).into_owned()
}
