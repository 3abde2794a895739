//! The route table.

use platform::http::Routes;

use crate::OrderService;

/// Every route of the order service.
pub fn routes() -> Routes<OrderService> {
    Routes::new("order", [])
}
