//! Events as the other services announce them.

use contracts::cart::{AppliedDiscount, PricedCart, PricedLine, PricedShipping, Totals};
use contracts::order::{OrderCancelled, OrderPlaced, OrderShipped, PaymentState, SoldLine};
use contracts::user::UserRegistered;
use kernel::{Address, Currency, Event, Id, Money, Rate};
use platform::db::DbError;
use platform::events::emit;
use rialto::Role;
use testkit::TestShop;
use uuid::Uuid;

/// Announces `event` as `role` does, and waits until it has arrived everywhere.
pub(crate) async fn announce<E: Event>(shop: &TestShop, role: Role, event: E) {
    let emitted = shop
        .db(role)
        .write(move |tx| async move { emit(&tx, &event).await });
    let emitted: Result<(), DbError> = emitted.await;
    emitted.expect("the event is in the outbox");
    shop.settle().await;
}

/// The same id in every run.
pub(crate) fn id<I: Id>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn registered(shop: &TestShop, name: &str) -> UserRegistered {
    UserRegistered {
        customer_id: id(1),
        email: "ada@example.com".parse().expect("an address"),
        name: name.to_owned(),
        verification_token: String::from("token+of/ada"),
        registered_at: shop.sources().now(),
    }
}

pub(crate) fn placed(shop: &TestShop, currency: Currency) -> OrderPlaced {
    OrderPlaced {
        order_id: id(2),
        attempt: 1,
        cart_id: id(3),
        customer_id: None,
        email: "ada@example.com".parse().expect("an address"),
        shipping_address: Some(address()),
        priced: priced(currency),
        payment: PaymentState::Authorised,
        placed_at: shop.sources().now(),
    }
}

fn address() -> Address {
    Address {
        name: String::from("Ada Lovelace"),
        line1: String::from("12 St James's Square"),
        line2: None,
        city: String::from("London"),
        region: None,
        postal_code: Some(String::from("SW1Y 4JH")),
        country: "GB".parse().expect("a country"),
        phone: Some(String::from("+44 20 7946 0000")),
    }
}

fn priced(currency: Currency) -> PricedCart {
    let money = |minor| Money::new(minor, currency);
    PricedCart {
        currency,
        lines: vec![
            line(
                currency,
                "Mug <b>\"No. 1\"</b> & friends",
                "Blue / Large",
                (2, 1999),
            ),
            line(currency, "Tea", "", (1, 5)),
        ],
        shipping: Some(PricedShipping {
            option: String::from("standard"),
            name: String::from("Standard"),
            price: money(490),
            discount: money(0),
            tax: money(0),
        }),
        discounts: vec![AppliedDiscount {
            code: String::from("WELCOME"),
            amount: money(400),
        }],
        totals: Totals {
            subtotal: money(4003),
            discount: money(400),
            shipping: money(490),
            tax: money(654),
            tax_rate: Rate::from_ppm(190_000).expect("a rate"),
            tax_included: true,
            total: money(4093),
        },
    }
}

fn line(
    currency: Currency,
    title: &str,
    variant: &str,
    (quantity, price): (i64, i64),
) -> PricedLine {
    let money = |minor| Money::new(minor, currency);
    PricedLine {
        id: id(10),
        variant_id: id(10),
        product_id: id(10),
        slug: title.to_lowercase(),
        sku: title.to_uppercase(),
        title: title.to_owned(),
        variant_title: variant.to_owned(),
        image_url: None,
        quantity,
        unit_price: money(price),
        subtotal: money(price * quantity),
        discount: money(0),
        total: money(price * quantity),
        tax: money(0),
        requires_shipping: true,
    }
}

pub(crate) fn shipped(shop: &TestShop) -> OrderShipped {
    OrderShipped {
        order_id: id(2),
        fulfilment_id: id(4),
        customer_id: None,
        email: "ada@example.com".parse().expect("an address"),
        carrier: Some(String::from("Gondola & Sons")),
        tracking_number: Some(String::from("4711")),
        shipped_at: shop.sources().now(),
    }
}

pub(crate) fn cancelled(shop: &TestShop) -> OrderCancelled {
    let money = Money::new(4093, Currency::EUR);
    OrderCancelled {
        order_id: id(2),
        attempt: 1,
        customer_id: None,
        email: "ada@example.com".parse().expect("an address"),
        lines: vec![SoldLine {
            variant_id: id(10),
            sku: String::from("MUG"),
            title: String::from("Mug, Blue"),
            quantity: 2,
            total: money,
        }],
        refunded: Some(money),
        reason: Some(String::from("ordered twice")),
        cancelled_at: shop.sources().now(),
    }
}
