//! `POST /v1/orders/lookup`: a guest looks after an order.

use axum::extract::State;
use contracts::order::OrderId;
use kernel::{Email, Validate, Violations};
use platform::http::{ApiError, Reply, Valid};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::get_order::order_reply;
use crate::model::OrderView;
use crate::{OrderError, OrderService, store};

/// What a guest knows of an order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookUpOrder {
    order_id: OrderId,
    /// The address that the order was placed with.
    email: Email,
}

impl Validate for LookUpOrder {
    fn validate(&self, _: &mut Violations) {}
}

/// Shows an order to whoever knows its id and the e-mail address that it was placed with.
#[utoipa::path(
    post,
    path = "/v1/orders/lookup",
    request_body = LookUpOrder,
    responses((status = 200, body = OrderView, description = "The order."))
)]
pub(crate) async fn handler(
    State(orders): State<OrderService>,
    Valid(body): Valid<LookUpOrder>,
) -> Result<Reply, ApiError> {
    Ok(orders.look_up_order(body).await?)
}

impl OrderService {
    async fn look_up_order(&self, body: LookUpOrder) -> Result<Reply, OrderError> {
        let order = store::order(&self.db.read().await?, body.order_id).await?;
        let order = order
            .filter(|order| order.email == body.email)
            .ok_or(OrderError::NotFound)?;
        Ok(order_reply(&order))
    }
}
