//! The route table.

use kernel::{Access, Permission};
use platform::http::Routes;
use platform::route;

use crate::{
    OrderService, cancel_order, fulfil_order, get_order, list_orders, look_up_order, place_order,
    receive_payment_webhook, ship_order,
};

/// Every route of the order service.
pub fn routes() -> Routes<OrderService> {
    Routes::new(
        "order",
        [
            route!(place_order, Access::Anyone),
            route!(list_orders, Access::CustomerOrStaff(Permission::OrdersRead)),
            route!(get_order, Access::CustomerOrStaff(Permission::OrdersRead)),
            route!(look_up_order, Access::Anyone),
            route!(
                cancel_order,
                Access::CustomerOrStaff(Permission::OrdersCancel)
            ),
            route!(fulfil_order, Access::Staff(Permission::OrdersFulfil)),
            route!(ship_order, Access::Staff(Permission::OrdersFulfil)),
            route!(receive_payment_webhook, Access::Anyone),
        ],
    )
}
