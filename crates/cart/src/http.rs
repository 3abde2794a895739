//! The route table.

use platform::http::Routes;

use crate::CartService;

/// Every route of the cart service.
pub fn routes() -> Routes<CartService> {
    Routes::new("cart", [])
}
