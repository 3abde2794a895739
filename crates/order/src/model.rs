//! Orders as values.

use contracts::cart::{CartId, Checkout, PaymentChoice, PricedCart, PricedLine};
use contracts::order::{
    FulfilmentId, OrderCancelled, OrderFulfilled, OrderId, OrderPlaced, OrderShipped, OrderState,
    PaymentState, SoldLine, holder,
};
use contracts::product::ReserveLine;
use kernel::{Address, CustomerId, Email, Json, Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::payment::PaymentKey;
use crate::state::{self, Command, InvalidTransition};

/// Tries of which something late may still come, at the most.
const EARLIER: usize = 10;

/// An order, as the database keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) cart_id: CartId,
    pub(crate) customer_id: Option<CustomerId>,
    pub(crate) email: Email,
    pub(crate) state: OrderState,
    pub(crate) version: i64,
    pub(crate) attempt: u32,
    pub(crate) provider: String,
    pub(crate) payment_token: Option<String>,
    pub(crate) payment: PaymentState,
    pub(crate) content: Json<Content>,
    pub(crate) created_at: Timestamp,
    pub(crate) placed_at: Option<Timestamp>,
    pub(crate) updated_at: Timestamp,
}

/// What no statement looks into.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) shipping_address: Option<Address>,
    pub(crate) billing_address: Option<Address>,
    pub(crate) priced: PricedCart,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fulfilment: Option<Fulfilment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cancellation: Option<Cancellation>,
}

/// The parcel of an order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Fulfilment {
    pub(crate) id: FulfilmentId,
    pub(crate) fulfilled_at: Timestamp,
    /// Who carries it.
    #[serde(default)]
    pub(crate) carrier: Option<String>,
    /// The carrier's number.
    #[serde(default)]
    pub(crate) tracking_number: Option<String>,
    #[serde(default)]
    pub(crate) shipped_at: Option<Timestamp>,
}

/// Why and when an order was cancelled.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Cancellation {
    /// In the words of who cancelled.
    pub(crate) reason: Option<String>,
    /// When it was asked for.
    pub(crate) requested_at: Timestamp,
    /// When stock and money were on their way back.
    #[serde(default)]
    pub(crate) cancelled_at: Option<Timestamp>,
    /// What was given back, or let go.
    #[serde(default)]
    pub(crate) refunded: Option<Money>,
}

impl Order {
    /// The order that a complete cart becomes.
    pub(crate) fn from_checkout(
        checkout: Checkout,
        email: Email,
        payment: PaymentChoice,
        now: Timestamp,
    ) -> Self {
        Self {
            id: checkout.order_id,
            cart_id: checkout.cart_id,
            customer_id: checkout.customer_id,
            email,
            state: OrderState::Pending,
            version: 1,
            attempt: 1,
            provider: payment.provider,
            payment_token: payment.token,
            payment: PaymentState::None,
            content: Json(Content {
                shipping_address: checkout.shipping_address,
                billing_address: checkout.billing_address,
                priced: checkout.priced,
                fulfilment: None,
                cancellation: None,
            }),
            created_at: now,
            placed_at: None,
            updated_at: now,
        }
    }

    /// The same order in its next version, after `command`.
    pub(crate) fn after(self, command: Command, now: Timestamp) -> Result<Self, InvalidTransition> {
        let state = state::next(self.state, command)?;
        Ok(Self {
            state,
            version: self.version + 1,
            updated_at: now,
            ..self
        })
    }

    /// Placed, with the money where `payment` says.
    pub(crate) fn placed(
        self,
        payment: PaymentState,
        now: Timestamp,
    ) -> Result<Self, InvalidTransition> {
        Ok(Self {
            payment,
            placed_at: Some(now),
            ..self.after(Command::Place, now)?
        })
    }

    /// Under which the stock of the present try is reserved.
    pub(crate) fn holder(&self) -> Uuid {
        holder(self.id, self.attempt)
    }

    /// Under which earlier tries reserved theirs. They are undone, but what was late of them may have
    /// come after that.
    pub(crate) fn earlier_holders(&self) -> impl Iterator<Item = Uuid> {
        let tries = (1..self.attempt).rev().take(EARLIER);
        tries.map(|attempt| holder(self.id, attempt))
    }

    /// Under which the provider knows the present try to pay.
    pub(crate) fn payment_key(&self) -> PaymentKey {
        PaymentKey {
            order_id: self.id,
            attempt: self.attempt,
        }
    }

    /// What is to be paid.
    pub(crate) fn total(&self) -> Money {
        self.content.0.priced.totals.total
    }

    /// What is to be reserved: one line for each variant.
    pub(crate) fn goods(&self) -> Vec<ReserveLine> {
        let mut goods: Vec<ReserveLine> = Vec::new();
        for line in &self.content.0.priced.lines {
            match goods
                .iter_mut()
                .find(|known| known.variant_id == line.variant_id)
            {
                Some(known) => known.quantity += line.quantity,
                None => goods.push(ReserveLine {
                    variant_id: line.variant_id,
                    quantity: line.quantity,
                }),
            }
        }
        goods
    }

    pub(crate) fn placed_event(&self) -> OrderPlaced {
        let content = &self.content.0;
        OrderPlaced {
            order_id: self.id,
            attempt: self.attempt,
            cart_id: self.cart_id,
            customer_id: self.customer_id,
            email: self.email.clone(),
            shipping_address: content.shipping_address.clone(),
            priced: content.priced.clone(),
            payment: self.payment,
            placed_at: self.placed_at.unwrap_or(self.updated_at),
        }
    }

    pub(crate) fn cancelled_event(&self) -> OrderCancelled {
        let cancellation = self.content.0.cancellation.as_ref();
        OrderCancelled {
            order_id: self.id,
            attempt: self.attempt,
            customer_id: self.customer_id,
            email: self.email.clone(),
            lines: self.content.0.priced.lines.iter().map(sold).collect(),
            refunded: cancellation.and_then(|cancellation| cancellation.refunded),
            reason: cancellation.and_then(|cancellation| cancellation.reason.clone()),
            cancelled_at: self.updated_at,
        }
    }

    pub(crate) fn fulfilled_event(&self, fulfilment: &Fulfilment) -> OrderFulfilled {
        OrderFulfilled {
            order_id: self.id,
            fulfilment_id: fulfilment.id,
            fulfilled_at: fulfilment.fulfilled_at,
        }
    }

    pub(crate) fn shipped_event(&self, fulfilment: &Fulfilment) -> OrderShipped {
        OrderShipped {
            order_id: self.id,
            fulfilment_id: fulfilment.id,
            customer_id: self.customer_id,
            email: self.email.clone(),
            carrier: fulfilment.carrier.clone(),
            tracking_number: fulfilment.tracking_number.clone(),
            shipped_at: fulfilment.shipped_at.unwrap_or(self.updated_at),
        }
    }
}

fn sold(line: &PricedLine) -> SoldLine {
    let title = if line.variant_title.is_empty() {
        line.title.clone()
    } else {
        format!("{} ({})", line.title, line.variant_title)
    };
    SoldLine {
        variant_id: line.variant_id,
        sku: line.sku.clone(),
        title,
        quantity: line.quantity,
        total: line.total,
    }
}

/// An order, as customers and staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderView<'a> {
    id: OrderId,
    cart_id: CartId,
    customer_id: Option<CustomerId>,
    email: &'a Email,
    state: OrderState,
    payment: PaymentView<'a>,
    shipping_address: Option<&'a Address>,
    billing_address: Option<&'a Address>,
    #[serde(flatten)]
    priced: &'a PricedCart,
    fulfilment: Option<&'a Fulfilment>,
    cancellation: Option<&'a Cancellation>,
    created_at: Timestamp,
    /// When stock and payment were certain.
    placed_at: Option<Timestamp>,
    updated_at: Timestamp,
}

/// Where the money stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentView<'a> {
    /// The provider.
    provider: &'a str,
    state: PaymentState,
}

impl<'a> From<&'a Order> for OrderView<'a> {
    fn from(order: &'a Order) -> Self {
        let content = &order.content.0;
        Self {
            id: order.id,
            cart_id: order.cart_id,
            customer_id: order.customer_id,
            email: &order.email,
            state: order.state,
            payment: PaymentView {
                provider: &order.provider,
                state: order.payment,
            },
            shipping_address: content.shipping_address.as_ref(),
            billing_address: content.billing_address.as_ref(),
            priced: &content.priced,
            fulfilment: content.fulfilment.as_ref(),
            cancellation: content.cancellation.as_ref(),
            created_at: order.created_at,
            placed_at: order.placed_at,
            updated_at: order.updated_at,
        }
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use contracts::cart::Totals;
    use kernel::{Currency, Rate, Sources};

    use super::*;

    /// An order of one line, just begun.
    pub(crate) fn order() -> Order {
        let sources = Sources::system();
        let zero = Money::zero(Currency::EUR);
        let price = Money::new(1000, Currency::EUR);
        let line = PricedLine {
            id: sources.id(),
            variant_id: sources.id(),
            product_id: sources.id(),
            slug: String::from("mug"),
            sku: String::from("MUG"),
            title: String::from("Mug"),
            variant_title: String::from("Blue"),
            image_url: None,
            quantity: 2,
            unit_price: Money::new(500, Currency::EUR),
            subtotal: price,
            discount: zero,
            total: price,
            tax: zero,
            requires_shipping: true,
        };
        let totals = Totals {
            subtotal: price,
            discount: zero,
            shipping: zero,
            tax: zero,
            tax_rate: Rate::ZERO,
            tax_included: true,
            total: price,
        };
        let priced = PricedCart {
            currency: Currency::EUR,
            lines: vec![line.clone(), line],
            shipping: None,
            discounts: Vec::new(),
            totals,
        };
        let checkout = Checkout {
            cart_id: sources.id(),
            version: 1,
            order_id: sources.id(),
            customer_id: None,
            email: None,
            shipping_address: None,
            billing_address: None,
            payment: None,
            priced,
            requirements: Vec::new(),
        };
        let email = "ada@example.com".parse().expect("an address");
        let payment = PaymentChoice {
            provider: String::from("test"),
            token: None,
        };
        Order::from_checkout(checkout, email, payment, sources.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goods_have_one_line_for_each_variant() {
        let goods = samples::order().goods();
        assert_eq!(goods.len(), 1);
        assert_eq!(goods[0].quantity, 4);
    }

    #[test]
    fn a_transition_is_a_new_version() {
        let order = samples::order();
        let now = order.created_at;
        let placed = order
            .placed(PaymentState::Authorised, now)
            .expect("pending");
        assert_eq!((placed.version, placed.state), (2, OrderState::Placed));
        assert!(placed.placed(PaymentState::Authorised, now).is_err());
    }
}
