//! The route table.

use kernel::{Access, Permission};
use platform::http::Routes;
use platform::route;

use crate::{
    ProductService, add_location, adjust_stock, create_product, get_product, get_product_by_slug,
    get_stock, list_ledger, list_locations,
};

/// Every route of the product service.
pub fn routes() -> Routes<ProductService> {
    let write = Access::Staff(Permission::CatalogueWrite);
    let count = Access::Staff(Permission::InventoryRead);
    let adjust = Access::Staff(Permission::InventoryWrite);
    Routes::new(
        "product",
        [
            route!(create_product, write),
            route!(get_product, Access::Anyone),
            route!(get_product_by_slug, Access::Anyone),
            route!(list_locations, count),
            route!(add_location, adjust),
            route!(get_stock, count),
            route!(adjust_stock, adjust),
            route!(list_ledger, count),
        ],
    )
}
