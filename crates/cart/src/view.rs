//! Carts as clients see them. The JSON is written once, from borrowed parts.

use contracts::cart::{
    AppliedDiscount, CartId, PaymentChoice, PricedLine, PricedShipping, Requirement, Totals,
};
use kernel::{Address, Currency, CustomerId, Email, Timestamp};
use platform::http::{ETag, Reply};
use serde::Serialize;
use utoipa::ToSchema;

use crate::assess::Assessed;
use crate::model::{Cart, CartState};

/// What is bought, what it costs now, and what is missing before it can become an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quote)]
pub(crate) struct QuoteView<'a> {
    /// Where the shop writes to; for customers their own address if it is `null`.
    email: Option<&'a Email>,
    /// Where the goods go. Its country decides the tax.
    shipping_address: Option<&'a Address>,
    /// Where the invoice goes; the shipping address if it is `null`.
    billing_address: Option<&'a Address>,
    /// The way of sending that was chosen; what it costs is in `shipping`, if it goes there.
    shipping_option: Option<&'a str>,
    /// How the customer pays.
    payment: Option<&'a PaymentChoice>,
    /// The codes that were entered. Those in force are in `discounts`; one that has ended, or
    /// whose minimum is not reached any more, takes nothing off.
    promotion_codes: &'a [String],
    /// All amounts are in it.
    currency: Currency,
    /// What is bought.
    lines: &'a [PricedLine],
    /// How it is sent; `null` if nothing is chosen, or nothing has to be sent.
    shipping: Option<&'a PricedShipping>,
    /// What each code takes off the lines, in the order in which they apply.
    discounts: &'a [AppliedDiscount],
    /// The sums: to the minor unit those of the lines and the shipping.
    totals: &'a Totals,
    /// What is missing before this can become an order; empty if nothing is.
    requirements: &'a [Requirement],
}

/// A cart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cart)]
pub(crate) struct CartView<'a> {
    id: CartId,
    /// Also the first part of the `ETag`; send that in `If-Match`.
    version: i64,
    /// `completed` carts have become an order and can only be read.
    state: CartState,
    /// Whose it is; `null` if it is a guest's, and so of everybody who holds its id.
    customer_id: Option<CustomerId>,
    #[serde(flatten)]
    quote: QuoteView<'a>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// When it goes if nobody changes it.
    expires_at: Timestamp,
}

/// The part that a quote has too.
pub(crate) fn quote_view<'a>(cart: &'a Cart, assessed: &'a Assessed) -> QuoteView<'a> {
    let (content, priced) = (&cart.content.0, &assessed.priced);
    QuoteView {
        email: content.email.as_ref(),
        shipping_address: content.shipping_address.as_ref(),
        billing_address: content.billing_address.as_ref(),
        shipping_option: content.shipping_option.as_deref(),
        payment: content.payment.as_ref(),
        promotion_codes: &content.promotion_codes,
        currency: cart.currency,
        lines: &priced.lines,
        shipping: priced.shipping.as_ref(),
        discounts: &priced.discounts,
        totals: &priced.totals,
        requirements: &assessed.requirements,
    }
}

fn cart_view<'a>(cart: &'a Cart, assessed: &'a Assessed) -> CartView<'a> {
    CartView {
        id: cart.id,
        version: cart.version,
        state: cart.state,
        customer_id: cart.customer_id,
        quote: quote_view(cart, assessed),
        created_at: cart.created_at,
        updated_at: cart.updated_at,
        expires_at: cart.expires_at,
    }
}

/// The cart, with a tag of its version and of what it costs now.
pub(crate) fn cart_reply(cart: &Cart, assessed: &Assessed) -> Reply {
    tagged(cart, Reply::ok(&cart_view(cart, assessed)))
}

/// The same for a cart that was created.
pub(crate) fn created_reply(cart: &Cart, assessed: &Assessed) -> Reply {
    let location = format!("/v1/carts/{}", cart.id);
    tagged(cart, Reply::created(location, &cart_view(cart, assessed)))
}

fn tagged(cart: &Cart, reply: Reply) -> Reply {
    let tag = ETag::covering(cart.version, reply.body());
    reply.tagged(tag)
}
