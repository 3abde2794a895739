//! The cart service: carts, quotes, promotions.

use kernel::{Address, Currency, CustomerId, Email, Money, Rate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::order::OrderId;
use crate::product::{ProductId, VariantId};

kernel::id_type!(
    /// Names one cart. Whoever holds the id of a guest's cart may use it: it cannot be guessed.
    pub CartId, "cart"
);
kernel::id_type!(
    /// Names one line of a cart, and of the order that it becomes.
    pub LineId, "line"
);

kernel::service_contract! {
    /// What other services may ask about carts.
    pub trait CartApi, client CartClient, server CartServer, service "cart" {
        /// The cart, priced now, with what it still lacks; `cart.not_found` if it is not the
        /// caller's. A completed cart is answered as well: its `order_id` leads to the order.
        checkout_cart(CheckoutCart) -> Checkout;
    }
}

/// Asks for a cart, to place an order from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckoutCart {
    /// The cart.
    pub cart_id: CartId,
    /// Who asks: a cart of a customer is shown to that customer only.
    pub customer_id: Option<CustomerId>,
}

/// A cart that is about to become an order: everything that the order keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// The cart.
    pub cart_id: CartId,
    /// The version that was priced.
    pub version: i64,
    /// The order that this cart becomes: fixed when the cart is created, so that a cart cannot
    /// become two orders.
    pub order_id: OrderId,
    /// Whose it is; `None` for a guest.
    pub customer_id: Option<CustomerId>,
    /// Where to write to.
    pub email: Option<Email>,
    /// Where the goods go.
    pub shipping_address: Option<Address>,
    /// Where the invoice goes; the shipping address if it is `None`.
    pub billing_address: Option<Address>,
    /// How the customer pays.
    pub payment: Option<PaymentChoice>,
    /// What is bought and what it costs.
    pub priced: PricedCart,
    /// What is missing before an order can be placed; empty if nothing is.
    pub requirements: Vec<Requirement>,
}

/// How the customer pays. Card numbers never come here: the provider gives the client a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentChoice {
    /// A provider of the configuration, such as `test` or `manual`.
    #[schema(max_length = 50, example = "test")]
    pub provider: String,
    /// What the provider gave the client; not every provider needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500, example = "tok_ok")]
    pub token: Option<String>,
}

/// Lines and totals: the result of pricing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricedCart {
    /// All amounts are in it.
    pub currency: Currency,
    /// What is bought.
    pub lines: Vec<PricedLine>,
    /// How it is sent, if chosen.
    pub shipping: Option<PricedShipping>,
    /// The discounts that are in force.
    pub discounts: Vec<AppliedDiscount>,
    /// The sums.
    pub totals: Totals,
}

/// One line with its amounts: `subtotal - discount = total`, which contains `tax` if prices
/// include it, and to which `tax` is added if they do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricedLine {
    /// The line.
    pub id: LineId,
    /// What is bought.
    pub variant_id: VariantId,
    /// Its product.
    pub product_id: ProductId,
    /// The product's address in the shop.
    pub slug: String,
    /// Stock keeping unit.
    pub sku: String,
    /// The product's title.
    pub title: String,
    /// What sets the variant apart.
    pub variant_title: String,
    /// The picture to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// How many.
    pub quantity: i64,
    /// What one costs.
    pub unit_price: Money,
    /// What all cost before discounts.
    pub subtotal: Money,
    /// What is taken off.
    pub discount: Money,
    /// What is left to pay.
    pub total: Money,
    /// The tax in it, or on it.
    pub tax: Money,
    /// Whether it is sent by parcel.
    pub requires_shipping: bool,
}

/// The chosen way of sending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricedShipping {
    /// The option, such as `standard`.
    pub option: String,
    /// For people.
    pub name: String,
    /// What it costs.
    pub price: Money,
    /// What is taken off.
    pub discount: Money,
    /// The tax in it, or on it.
    pub tax: Money,
}

/// A discount that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppliedDiscount {
    /// The code that was entered.
    pub code: String,
    /// What it takes off altogether.
    pub amount: Money,
}

/// The sums of a cart or an order, to the minor unit: the sums of the lines are these sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// All lines before discounts.
    pub subtotal: Money,
    /// All discounts, on lines and on shipping.
    pub discount: Money,
    /// Shipping before its discount.
    pub shipping: Money,
    /// All tax.
    pub tax: Money,
    /// The rate of the tax, in parts per million.
    pub tax_rate: Rate,
    /// Whether the prices include the tax.
    pub tax_included: bool,
    /// What is to be paid.
    pub total: Money,
}

kernel::text_enum! {
    /// What keeps a cart from becoming an order.
    pub enum RequirementKind {
        /// The cart is empty.
        Lines = "lines",
        /// A line cannot be bought: not on sale, or without a price in this currency.
        Purchasable = "purchasable",
        /// A line wants more than is left.
        Stock = "stock",
        /// An e-mail address is missing.
        Email = "email",
        /// The shipping address is missing.
        ShippingAddress = "shipping_address",
        /// The way of sending is missing, or does not reach the address.
        ShippingOption = "shipping_option",
        /// The way of paying is missing.
        Payment = "payment",
    }
}

/// Something that keeps a cart from becoming an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Requirement {
    /// What is missing.
    pub kind: RequirementKind,
    /// The line that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_id: Option<LineId>,
    /// What to do, for people.
    pub detail: String,
}

/// Error codes of the cart service.
pub mod codes {
    kernel::codes! {
        /// No such cart or line, or not yours.
        NOT_FOUND = "cart.not_found",
        /// The cart has become an order.
        COMPLETED = "cart.completed",
        /// The variant is unknown or not on sale.
        NOT_PURCHASABLE = "cart.not_purchasable",
        /// The variant has no price in the cart's currency.
        NO_PRICE = "cart.no_price",
        /// More lines, or a larger quantity, than a cart may hold.
        LIMIT = "cart.limit",
        /// No such way of sending, or not to this country.
        BAD_SHIPPING_OPTION = "cart.bad_shipping_option",
        /// No such way of paying.
        BAD_PAYMENT_PROVIDER = "cart.bad_payment_provider",
        /// The promotion code is unknown, expired, or does not fit the cart.
        BAD_PROMOTION_CODE = "cart.bad_promotion_code",
        /// A promotion with this code exists.
        PROMOTION_EXISTS = "cart.promotion_exists",
        /// An amount does not fit.
        AMOUNT_OUT_OF_RANGE = "cart.amount_out_of_range",
    }
}
