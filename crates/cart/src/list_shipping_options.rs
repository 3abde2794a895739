//! `GET /v1/carts/{id}/shipping-options`: how a cart can be sent.

use axum::extract::State;
use contracts::cart::CartId;
use kernel::{Cursor, CustomerId, Money, Page};
use platform::http::{ApiError, CallerOf, ETag, PathId, Reply};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{CartError, CartService};

/// A way of sending, and what it would cost this cart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShippingOption)]
pub(crate) struct OptionView<'a> {
    /// What to send as `shipping_option`.
    #[schema(example = "standard")]
    option: &'a str,
    /// For people.
    #[schema(example = "Standard")]
    name: &'a str,
    /// What it costs.
    price: Money,
    /// What is taken off, because of what the goods are worth.
    discount: Money,
}

/// All ways of sending a cart.
#[derive(ToSchema)]
#[schema(as = ShippingOptions)]
#[expect(dead_code, reason = "documents the shape that Page<OptionView> has")]
pub(crate) struct OptionPage<'a> {
    items: Vec<OptionView<'a>>,
    /// Always `null`: there is one page.
    next_cursor: Option<Cursor>,
}

/// Lists the ways of sending that are offered in the cart's currency and go to its shipping
/// address, the cheapest first; without an address, to anywhere.
#[utoipa::path(
    get,
    path = "/v1/carts/{id}/shipping-options",
    params(("id" = CartId, Path, description = "The cart.")),
    responses((
        status = 200,
        body = OptionPage,
        description = "The ways of sending.",
        headers(("ETag" = String, description = "The version, and what it costs now."))
    ))
)]
pub(crate) async fn handler(
    State(carts): State<CartService>,
    caller: CallerOf,
    PathId(id): PathId<CartId>,
) -> Result<Reply, ApiError> {
    Ok(carts.list_shipping_options(id, caller.customer()).await?)
}

impl CartService {
    async fn list_shipping_options(
        &self,
        id: CartId,
        customer: Option<CustomerId>,
    ) -> Result<Reply, CartError> {
        let (cart, assessed) = self.assessed_cart(id, customer).await?;
        let goods = assessed.priced.lines.iter().map(|line| line.total);
        let goods = Money::sum(cart.currency, goods)?;
        let to = cart.content.0.shipping_address.as_ref();
        let to = to.map(|address| address.country);
        let offered = self.config.shipping.iter();
        let offered = offered.filter(|option| option.reaches(to));
        let mut items: Vec<OptionView<'_>> = offered
            .filter_map(|option| {
                let price = option.price_for(goods)?;
                Some(OptionView {
                    option: &option.code,
                    name: &option.name,
                    price: price.price,
                    discount: price.discount,
                })
            })
            .collect();
        items.sort_by_key(|option| (option.price.minor - option.discount.minor, option.option));
        let reply = Reply::ok(&Page {
            items,
            next_cursor: None,
        });
        let tag = ETag::covering(cart.version, reply.body());
        Ok(reply.tagged(tag))
    }
}
