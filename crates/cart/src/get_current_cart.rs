//! `GET /v1/carts/current`: the cart that a customer used last, on whichever device.

use axum::extract::State;
use kernel::CustomerId;
use platform::http::{ApiError, CallerOf, Reply};

use crate::model::{Cart, CartState};
use crate::view::{CartView, cart_reply};
use crate::{CartError, CartService, store};

/// Shows the customer's current cart: the one that they created or claimed last, while it is open.
#[utoipa::path(
    get,
    path = "/v1/carts/current",
    responses((
        status = 200,
        body = CartView,
        description = "The cart.",
        headers(("ETag" = String, description = "The version, and what it costs now."))
    ))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    caller: CallerOf,
) -> Result<Reply, ApiError> {
    let customer = caller.customer().ok_or(CartError::NotFound("cart"))?;
    Ok(carts.get_current_cart(customer).await?)
}

impl CartService {
    async fn get_current_cart(&self, customer: CustomerId) -> Result<Reply, CartError> {
        let cart = self.current_cart(customer).await?;
        let cart = cart.ok_or(CartError::NotFound("cart"))?;
        let assessed = self.assess(&cart).await?;
        Ok(cart_reply(&cart, &assessed))
    }

    /// The customer's current cart, if it is theirs and open.
    pub(crate) async fn current_cart(
        &self,
        customer: CustomerId,
    ) -> Result<Option<Cart>, CartError> {
        let tx = self.db.read().await?;
        let Some(id) = store::current(&tx, customer).await? else {
            return Ok(None);
        };
        let now = self.db.sources().now();
        let cart = store::load(&tx, id).await?;
        Ok(cart.filter(|cart| {
            cart.customer_id == Some(customer)
                && cart.state == CartState::Open
                && cart.there_for(Some(customer), now)
        }))
    }
}
