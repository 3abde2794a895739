//! The route table.

use kernel::{Access, Permission};
use platform::http::Routes;
use platform::route;

use crate::{
    CartService, add_line, change_line, claim_cart, create_cart, create_promotion, create_quote,
    get_cart, get_current_cart, list_promotions, list_shipping_options, remove_line,
    remove_promotion, update_cart,
};

/// Every route of the cart service. Whose a cart is, each operation looks at itself.
pub fn routes() -> Routes<CartService> {
    let catalogue = Access::Staff(Permission::CatalogueWrite);
    Routes::new(
        "cart",
        [
            route!(create_cart, Access::Anyone),
            route!(get_current_cart, Access::Customer),
            route!(get_cart, Access::Anyone),
            route!(update_cart, Access::Anyone),
            route!(add_line, Access::Anyone),
            route!(change_line, Access::Anyone),
            route!(remove_line, Access::Anyone),
            route!(list_shipping_options, Access::Anyone),
            route!(claim_cart, Access::Customer),
            route!(create_quote, Access::Anyone),
            route!(list_promotions, catalogue),
            route!(create_promotion, catalogue),
            route!(remove_promotion, catalogue),
        ],
    )
}
