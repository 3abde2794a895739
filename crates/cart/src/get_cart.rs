//! `GET /v1/carts/{id}`: a cart, priced now.

use axum::extract::State;
use contracts::cart::CartId;
use kernel::CustomerId;
use platform::http::{ApiError, CallerOf, PathId, Reply};

use crate::assess::{Assessed, assess};
use crate::model::Cart;
use crate::view::{CartView, cart_reply};
use crate::{CartError, CartService, store};

/// Shows a cart with what it costs now and what it still lacks. A customer's cart is there for that
/// customer only.
#[utoipa::path(
    get,
    path = "/v1/carts/{id}",
    params(("id" = CartId, Path, description = "The cart.")),
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
    PathId(id): PathId<CartId>,
) -> Result<Reply, ApiError> {
    Ok(carts.get_cart(id, caller.customer()).await?)
}

impl CartService {
    async fn get_cart(&self, id: CartId, customer: Option<CustomerId>) -> Result<Reply, CartError> {
        let (cart, assessed) = self.assessed_cart(id, customer).await?;
        Ok(cart_reply(&cart, &assessed))
    }

    /// A cart that is there for `customer`, priced now.
    pub(crate) async fn assessed_cart(
        &self,
        id: CartId,
        customer: Option<CustomerId>,
    ) -> Result<(Cart, Assessed), CartError> {
        let cart = store::load(&self.db.read().await?, id).await?;
        let there = |cart: &Cart| cart.there_for(customer, self.db.sources().now());
        let cart = cart.filter(there).ok_or(CartError::NotFound("cart"))?;
        let assessed = self.assess(&cart).await?;
        Ok((cart, assessed))
    }

    /// What a cart costs now. What was sold is not asked about any more.
    pub(crate) async fn assess(&self, cart: &Cart) -> Result<Assessed, CartError> {
        let known = self.look_up(cart, &[], &[]).await?;
        assess(cart, known, &self.config, self.db.sources().now())
    }
}
