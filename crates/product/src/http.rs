//! The route table.

use platform::http::Routes;

use crate::ProductService;

/// Every route of the product service.
pub fn routes() -> Routes<ProductService> {
    Routes::new("product", [])
}
