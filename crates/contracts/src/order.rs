//! The order service: checkout, orders, payments, fulfilment.

use kernel::{Address, CustomerId, Email, Event, Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::cart::{CartId, PricedCart};

kernel::id_type!(
    /// Names one order.
    pub OrderId, "ord"
);
kernel::id_type!(
    /// Names one parcel of an order.
    pub FulfilmentId, "ful"
);

kernel::text_enum! {
    /// Where an order stands.
    pub enum OrderState {
        /// Begun: stock or payment is not settled yet.
        Pending = "pending",
        /// Being given up: nobody can place it any more, and its money is on its way back.
        Failing = "failing",
        /// Given up: out of stock, payment refused, or never finished. Nothing is owed.
        Failed = "failed",
        /// Accepted: stock and payment are certain.
        Placed = "placed",
        /// Packed: the goods have left the shelf.
        Fulfilled = "fulfilled",
        /// On its way.
        Shipped = "shipped",
        /// Being undone: stock and money are on their way back.
        Cancelling = "cancelling",
        /// Undone: stock and money are back.
        Cancelled = "cancelled",
    }
}

kernel::text_enum! {
    /// Where the money stands.
    pub enum PaymentState {
        /// Not asked for yet.
        None = "none",
        /// The provider will tell later.
        Pending = "pending",
        /// Set aside for the shop.
        Authorised = "authorised",
        /// In the shop's hands.
        Captured = "captured",
        /// Refused.
        Declined = "declined",
        /// Let go before it was captured.
        Voided = "voided",
        /// Given back.
        Refunded = "refunded",
        /// To be paid outside, such as by invoice.
        Manual = "manual",
    }
}

/// What was sold, at which price: the same in the order, in its events, and in mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SoldLine {
    /// The variant, as a UUID-based id of the product service.
    pub variant_id: crate::product::VariantId,
    /// Stock keeping unit.
    pub sku: String,
    /// Product and variant, for people.
    pub title: String,
    /// How many.
    pub quantity: i64,
    /// What all of them cost after discounts.
    pub total: Money,
}

/// An order was placed: stock is reserved and payment is certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// Which try to place it came to something; its stock is reserved under [`holder`].
    #[serde(default = "first")]
    pub attempt: u32,
    /// The cart that it was.
    pub cart_id: CartId,
    /// Whose; `None` for a guest.
    pub customer_id: Option<CustomerId>,
    /// Where to write to.
    pub email: Email,
    /// Where the goods go.
    pub shipping_address: Option<Address>,
    /// What was sold and what it cost.
    pub priced: PricedCart,
    /// Where the money stands.
    pub payment: PaymentState,
    /// When.
    pub placed_at: Timestamp,
}

impl Event for OrderPlaced {
    const TYPE: &'static str = "rialto.order.placed.v1";
    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}

/// An order was cancelled: its stock goes back on the shelf; its money is back already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// The order.
    pub order_id: OrderId,
    /// Which try to place it came to something; its stock was reserved under [`holder`].
    #[serde(default = "first")]
    pub attempt: u32,
    /// Whose; `None` for a guest.
    pub customer_id: Option<CustomerId>,
    /// Where to write to.
    pub email: Email,
    /// What goes back on the shelf.
    pub lines: Vec<SoldLine>,
    /// What was given back, or let go.
    pub refunded: Option<Money>,
    /// Why, in the words of who cancelled.
    pub reason: Option<String>,
    /// When.
    pub cancelled_at: Timestamp,
}

impl Event for OrderCancelled {
    const TYPE: &'static str = "rialto.order.cancelled.v1";
    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}

/// An order was packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFulfilled {
    /// The order.
    pub order_id: OrderId,
    /// The parcel.
    pub fulfilment_id: FulfilmentId,
    /// When.
    pub fulfilled_at: Timestamp,
}

impl Event for OrderFulfilled {
    const TYPE: &'static str = "rialto.order.fulfilled.v1";
    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}

/// An order is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderShipped {
    /// The order.
    pub order_id: OrderId,
    /// The parcel.
    pub fulfilment_id: FulfilmentId,
    /// Whose; `None` for a guest.
    pub customer_id: Option<CustomerId>,
    /// Where to write to.
    pub email: Email,
    /// Who carries it.
    pub carrier: Option<String>,
    /// The carrier's number.
    pub tracking_number: Option<String>,
    /// When.
    pub shipped_at: Timestamp,
}

impl Event for OrderShipped {
    const TYPE: &'static str = "rialto.order.shipped.v1";
    fn subject(&self) -> String {
        self.order_id.to_string()
    }
}

/// The holder under which a try to place an order, counted from one, reserves its stock: the
/// order's id for the first, and one that differs in its last bits for those after it. What is late
/// of one try cannot touch what another one has set aside.
pub fn holder(order_id: OrderId, attempt: u32) -> Uuid {
    let later = attempt.saturating_sub(1);
    Uuid::from_u128(kernel::Id::uuid(order_id).as_u128() ^ u128::from(later))
}

fn first() -> u32 {
    1
}

/// Error codes of the order service.
pub mod codes {
    kernel::codes! {
        /// No such order, or not yours.
        NOT_FOUND = "order.not_found",
        /// The cart is not complete; `context.requirements` tells what is missing.
        REQUIREMENTS = "order.requirements",
        /// Less is left than was wanted; `context.lines` tells of what. Nothing was charged.
        OUT_OF_STOCK = "order.out_of_stock",
        /// The provider refused the payment. Nothing was charged; choose another way to pay.
        PAYMENT_DECLINED = "order.payment_declined",
        /// The cart has become an order already.
        ALREADY_PLACED = "order.already_placed",
        /// The order is still being placed by another request.
        IN_PROGRESS = "order.in_progress",
        /// The order's state does not allow this.
        INVALID_TRANSITION = "order.invalid_transition",
        /// The payment provider is away; the order will be finished or undone.
        PROVIDER_UNAVAILABLE = "order.provider_unavailable",
        /// The price has changed since the client saw the cart; read it again.
        PRICE_CHANGED = "order.price_changed",
        /// No such payment provider.
        UNKNOWN_PROVIDER = "order.unknown_provider",
        /// The signature of the webhook is missing, wrong or too old.
        BAD_SIGNATURE = "order.bad_webhook_signature",
    }
}
