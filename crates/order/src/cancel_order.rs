//! `POST /v1/orders/{id}/cancel`: stock and money go back.
//!
//! First `cancelling` is recorded, under a lease; then the provider gives the money back; then one
//! transaction writes `cancelled` and [`OrderCancelled`](contracts::order::OrderCancelled), on
//! which the stock goes back on the shelf. What a crash cuts short, the [sweeper](crate::sweep)
//! finishes: giving back twice gives back once.

use axum::extract::State;
use contracts::order::{OrderId, OrderState, PaymentState};
use kernel::{Caller, Id, Permission, Validate, Violations};
use platform::events;
use platform::http::{ApiError, CallerOf, IfMatch, PathId, Reply, Valid};
use platform::idempotency::{IdempotencyKey, IdempotentRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::get_order::order_reply;
use crate::model::{Cancellation, Order, OrderView};
use crate::payment::PaymentStatus;
use crate::state::Command;
use crate::{OrderError, OrderService, store};

/// Why.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelOrder {
    /// For the customer and the staff to read.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: Option<String>,
}

impl Validate for CancelOrder {
    fn validate(&self, violations: &mut Violations) {
        if let Some(reason) = &self.reason {
            violations.text("reason", reason, 0..=500);
        }
    }
}

/// Cancels an order that is not fulfilled yet: the goods go back on the shelf, the money to the
/// customer.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/cancel",
    params(("id" = OrderId, Path, description = "The order.")),
    request_body = CancelOrder,
    responses((status = 200, body = OrderView, description = "Cancelled."))
)]
pub(crate) async fn handler(
    State(orders): State<OrderService>,
    caller: CallerOf,
    PathId(id): PathId<OrderId>,
    key: IdempotencyKey,
    version: IfMatch,
    Valid(body): Valid<CancelOrder>,
) -> Result<Reply, ApiError> {
    let request = key.request(id.uuid(), &body);
    Ok(orders
        .cancel_order(&caller, id, request, version, body)
        .await?)
}

impl OrderService {
    pub(crate) async fn cancel_order(
        &self,
        caller: &Caller,
        id: OrderId,
        request: IdempotentRequest,
        version: IfMatch,
        body: CancelOrder,
    ) -> Result<Reply, OrderError> {
        let order = self.order_of(caller, id, Permission::OrdersCancel).await?;
        if let Some(reply) = request.replay(&self.db.read().await?).await? {
            return Ok(reply);
        }
        let cancelled = self.cancel(order, version, body, request.clone()).await;
        request.settle(&self.db, cancelled).await
    }

    async fn cancel(
        &self,
        order: Order,
        version: IfMatch,
        body: CancelOrder,
        request: IdempotentRequest,
    ) -> Result<Reply, OrderError> {
        let order = match order.state {
            // An earlier request got so far and died, or is still at it: giving back twice is once.
            OrderState::Cancelling => order,
            _ => {
                version.check(order.version)?;
                self.begin_cancelling(order, body).await?
            }
        };
        self.finish_cancelling(order, Some(request)).await
    }

    async fn begin_cancelling(&self, order: Order, body: CancelOrder) -> Result<Order, OrderError> {
        let lease = self.config.lease;
        self.db
            .write(move |tx| async move {
                let now = tx.sources().now();
                let id = order.id;
                let mut order = order.after(Command::Cancel, now)?;
                order.content.0.cancellation = Some(Cancellation {
                    reason: body.reason,
                    requested_at: now,
                    cancelled_at: None,
                    refunded: None,
                });
                match store::advance(&tx, &order, Some(now.plus(lease)), None).await? {
                    true => Ok(order),
                    false => Err(OrderError::InProgress(id)),
                }
            })
            .await
    }

    /// Gives the money back, then writes that everything is undone, with the answer of `request`.
    pub(crate) async fn finish_cancelling(
        &self,
        order: Order,
        request: Option<IdempotentRequest>,
    ) -> Result<Reply, OrderError> {
        let owed = matches!(
            order.payment,
            PaymentState::Authorised | PaymentState::Captured
        );
        let status = if owed {
            Some(self.give_back(&order).await?)
        } else {
            None
        };
        let id = order.id;
        self.db
            .write(move |tx| async move {
                let mut order = cancelled(order, status.as_ref(), tx.sources().now())?;
                if store::advance(&tx, &order, None, None).await? {
                    events::emit(&tx, &order.cancelled_event()).await?;
                } else {
                    // Somebody else was faster, unless it has moved on in another way.
                    let found = store::order(&tx, id).await?;
                    order = found.ok_or(OrderError::NotFound)?;
                    if order.state != OrderState::Cancelled {
                        return Err(OrderError::InProgress(id));
                    }
                }
                let reply = order_reply(&order);
                if let Some(request) = request {
                    request.keep(&tx, &reply).await?;
                }
                Ok(reply)
            })
            .await
    }
}

/// The order once stock and money are on their way back.
fn cancelled(
    order: Order,
    status: Option<&PaymentStatus>,
    now: kernel::Timestamp,
) -> Result<Order, OrderError> {
    let total = order.total();
    let mut order = order.after(Command::FinishCancelling, now)?;
    if let Some(status) = status {
        order.payment = status.state();
    }
    if let Some(cancellation) = &mut order.content.0.cancellation {
        cancellation.cancelled_at = Some(now);
        cancellation.refunded = status.map(|_| total);
    }
    Ok(order)
}
