//! `GET /v1/orders/{id}`: one order.

use axum::extract::State;
use contracts::order::OrderId;
use kernel::{Caller, Permission};
use platform::http::{ApiError, CallerOf, ETag, PathId, Reply};

use crate::model::{Order, OrderView};
use crate::{OrderError, OrderService, store};

/// Shows an order, to its customer or to staff.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}",
    params(("id" = OrderId, Path, description = "The order.")),
    responses((status = 200, body = OrderView, description = "The order."))
)]
pub(crate) async fn handler(
    State(orders): State<OrderService>,
    caller: CallerOf,
    PathId(id): PathId<OrderId>,
) -> Result<Reply, ApiError> {
    let order = orders.order_of(&caller, id, Permission::OrdersRead).await?;
    Ok(order_reply(&order))
}

/// The order, with its version.
pub(crate) fn order_reply(order: &Order) -> Reply {
    Reply::ok(&OrderView::from(order)).tagged(ETag::version(order.version))
}

impl OrderService {
    /// The order, if it is the caller's or they have `permission`; what is not theirs is not there.
    pub(crate) async fn order_of(
        &self,
        caller: &Caller,
        id: OrderId,
        permission: Permission,
    ) -> Result<Order, OrderError> {
        let order = store::order(&self.db.read().await?, id)
            .await?
            .ok_or(OrderError::NotFound)?;
        let theirs = caller.customer().is_some() && caller.customer() == order.customer_id;
        if theirs || caller.may(permission) {
            Ok(order)
        } else {
            Err(OrderError::NotFound)
        }
    }
}
