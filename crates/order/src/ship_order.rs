//! `POST /v1/orders/{id}/ship`: the parcel is on its way, and the money is taken.

use axum::extract::State;
use contracts::order::{OrderId, PaymentState};
use kernel::{Id, Validate, Violations};
use platform::events;
use platform::http::{ApiError, IfMatch, PathId, Reply, Valid};
use platform::idempotency::{IdempotencyKey, IdempotentRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::get_order::order_reply;
use crate::model::{Order, OrderView};
use crate::state::{self, Command};
use crate::{OrderError, OrderService, store};

/// Who carries the parcel.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShipOrder {
    #[serde(default)]
    #[schema(max_length = 100, example = "Post")]
    carrier: Option<String>,
    #[serde(default)]
    #[schema(max_length = 100, example = "RR123456789IT")]
    tracking_number: Option<String>,
}

impl Validate for ShipOrder {
    fn validate(&self, violations: &mut Violations) {
        for (field, value) in [
            ("carrier", &self.carrier),
            ("tracking_number", &self.tracking_number),
        ] {
            if let Some(value) = value {
                violations.text(field, value, 1..=100);
            }
        }
    }
}

/// Marks an order as shipped, and captures its payment if that was only authorised.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/ship",
    params(("id" = OrderId, Path, description = "The order.")),
    request_body = ShipOrder,
    responses((status = 200, body = OrderView, description = "Shipped."))
)]
pub(crate) async fn handler(
    State(orders): State<OrderService>,
    PathId(id): PathId<OrderId>,
    key: IdempotencyKey,
    version: IfMatch,
    Valid(body): Valid<ShipOrder>,
) -> Result<Reply, ApiError> {
    let request = key.request(id.uuid(), &body);
    Ok(orders.ship_order(id, request, version, body).await?)
}

impl OrderService {
    /// The money first: taking it twice takes it once, so a crash in between costs nothing.
    async fn ship_order(
        &self,
        id: OrderId,
        request: IdempotentRequest,
        version: IfMatch,
        body: ShipOrder,
    ) -> Result<Reply, OrderError> {
        let tx = self.db.read().await?;
        // The order first: if another request has shipped it by then, its answer is there, too.
        let order = store::order(&tx, id).await?.ok_or(OrderError::NotFound)?;
        if let Some(reply) = request.replay(&tx).await? {
            return Ok(reply);
        }
        drop(tx);
        version.check(order.version)?;
        state::next(order.state, Command::Ship)?;
        let payment = self.capture(&order).await?;
        let mine = request.clone();
        let shipped = self
            .db
            .write(move |tx| async move {
                let now = tx.sources().now();
                let mut order = Order {
                    payment,
                    ..order.after(Command::Ship, now)?
                };
                let fulfilment = order.content.0.fulfilment.as_mut();
                let fulfilment = fulfilment.ok_or(OrderError::NotFound)?;
                fulfilment.carrier = body.carrier;
                fulfilment.tracking_number = body.tracking_number;
                fulfilment.shipped_at = Some(now);
                let fulfilment = fulfilment.clone();
                if !store::advance(&tx, &order, None, None).await? {
                    return Err(OrderError::InProgress(id));
                }
                events::emit(&tx, &order.shipped_event(&fulfilment)).await?;
                let reply = order_reply(&order);
                request.keep(&tx, &reply).await?;
                Ok(reply)
            })
            .await;
        mine.settle(&self.db, shipped).await
    }

    async fn capture(&self, order: &Order) -> Result<PaymentState, OrderError> {
        if order.payment != PaymentState::Authorised {
            return Ok(order.payment);
        }
        let key = order.payment_key();
        let capturing = self.provider(order)?.capture(&key);
        let captured = self
            .in_time(capturing)
            .await
            .map_err(OrderError::Provider)?;
        Ok(captured.state())
    }
}
