//! The route table.

use kernel::{Access, Permission};
use platform::http::Routes;
use platform::route;

use crate::{
    ProductService, add_location, adjust_stock, archive_product, create_category, create_product,
    get_category, get_product, get_product_by_slug, get_stock, list_categories, list_ledger,
    list_locations, list_products, remove_category, search_products, update_category,
    update_product,
};

/// Every route of the product service.
pub fn routes() -> Routes<ProductService> {
    let write = Access::Staff(Permission::CatalogueWrite);
    let count = Access::Staff(Permission::InventoryRead);
    let adjust = Access::Staff(Permission::InventoryWrite);
    Routes::new(
        "product",
        [
            route!(list_products, Access::Anyone),
            route!(create_product, write),
            route!(get_product, Access::Anyone),
            route!(update_product, write),
            route!(get_product_by_slug, Access::Anyone),
            route!(archive_product, write),
            route!(list_categories, Access::Anyone),
            route!(create_category, write),
            route!(get_category, Access::Anyone),
            route!(update_category, write),
            route!(remove_category, write),
            route!(search_products, Access::Anyone),
            route!(list_locations, count),
            route!(add_location, adjust),
            route!(get_stock, count),
            route!(adjust_stock, adjust),
            route!(list_ledger, count),
        ],
    )
}
