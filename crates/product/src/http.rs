//! The route table.

use kernel::{Access, Permission};
use platform::http::Routes;
use platform::route;

use crate::{ProductService, create_product, get_product, get_product_by_slug};

/// Every route of the product service.
pub fn routes() -> Routes<ProductService> {
    let write = Access::Staff(Permission::CatalogueWrite);
    Routes::new(
        "product",
        [
            route!(create_product, write),
            route!(get_product, Access::Anyone),
            route!(get_product_by_slug, Access::Anyone),
        ],
    )
}
