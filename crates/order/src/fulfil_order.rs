//! `POST /v1/orders/{id}/fulfil`: the goods have left the shelf.

use axum::extract::State;
use contracts::order::OrderId;
use kernel::{Id, Validate, Violations};
use platform::events;
use platform::http::{ApiError, IfMatch, PathId, Reply, Valid};
use platform::idempotency::{IdempotencyKey, IdempotentRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::get_order::order_reply;
use crate::model::{Fulfilment, OrderView};
use crate::state::Command;
use crate::{OrderError, OrderService, store};

/// Nothing more to say.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FulfilOrder {}

impl Validate for FulfilOrder {
    fn validate(&self, _: &mut Violations) {}
}

/// Marks an order as packed: from now on it can no longer be cancelled.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/fulfil",
    params(("id" = OrderId, Path, description = "The order.")),
    request_body = FulfilOrder,
    responses((status = 200, body = OrderView, description = "Packed."))
)]
pub(crate) async fn handler(
    State(orders): State<OrderService>,
    PathId(id): PathId<OrderId>,
    key: IdempotencyKey,
    version: IfMatch,
    Valid(body): Valid<FulfilOrder>,
) -> Result<Reply, ApiError> {
    let request = key.request(id.uuid(), &body);
    Ok(orders.fulfil_order(id, request, version).await?)
}

impl OrderService {
    async fn fulfil_order(
        &self,
        id: OrderId,
        request: IdempotentRequest,
        version: IfMatch,
    ) -> Result<Reply, OrderError> {
        request
            .once(&self.db, move |tx| async move {
                let order = store::order(&tx, id).await?.ok_or(OrderError::NotFound)?;
                version.check(order.version)?;
                let now = tx.sources().now();
                let mut order = order.after(Command::Fulfil, now)?;
                let fulfilment = Fulfilment {
                    id: tx.sources().id(),
                    fulfilled_at: now,
                    carrier: None,
                    tracking_number: None,
                    shipped_at: None,
                };
                order.content.0.fulfilment = Some(fulfilment.clone());
                if !store::advance(&tx, &order, None, None).await? {
                    return Err(OrderError::InProgress(id));
                }
                events::emit(&tx, &order.fulfilled_event(&fulfilment)).await?;
                Ok(order_reply(&order))
            })
            .await
    }
}
