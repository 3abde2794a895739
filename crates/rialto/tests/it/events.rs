//! The JSON of every event, held still: consumers of other versions read it. Fields may only be
//! added.

use std::collections::BTreeSet;

use contracts::cart::{AppliedDiscount, PricedCart, PricedLine, PricedShipping, Totals};
use contracts::feed::{PostPublished, PostRemoved};
use contracts::order::{
    OrderCancelled, OrderFulfilled, OrderPlaced, OrderShipped, PaymentState, SoldLine,
};
use contracts::product::{ProductArchived, ProductChanged, ProductCreated};
use contracts::user::{
    EmailVerified, PasswordChanged, PasswordResetAsked, PasswordResetRequested, UserRegistered,
    VerificationRequested,
};
use insta::assert_json_snapshot;
use kernel::{Address, Currency, Email, Envelope, Event, Id, Money, Rate, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::sources::rust_files;

fn id<I: Id>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

fn at() -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000)
}

fn email() -> Email {
    "ada@example.com".parse().expect("an address")
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// The event as it travels, and back.
fn wire<E: Event + PartialEq>(source: &str, event: E) -> Value {
    let envelope = Envelope::new(id(1), source, at(), &event);
    let json = serde_json::to_value(&envelope).expect("plain data");
    let back: Envelope = serde_json::from_value(json.clone()).expect("an envelope");
    assert!(back.open::<E>().expect("an event") == event, "{json}");
    // Fields are only ever added: who reads must pass over what it does not know.
    let mut newer = json.clone();
    newer["data"]["a_field_of_tomorrow"] = Value::from(1);
    let newer: Envelope = serde_json::from_value(newer).expect("an envelope");
    assert!(newer.open::<E>().expect("an event") == event, "{json}");
    json
}

fn user_events() -> Vec<Value> {
    let name = || String::from("Ada Lovelace");
    let token = || String::from("token");
    vec![
        wire(
            "user",
            UserRegistered {
                customer_id: id(2),
                email: email(),
                name: name(),
                verification_token: token(),
                registered_at: at(),
            },
        ),
        wire(
            "user",
            VerificationRequested {
                customer_id: id(2),
                email: email(),
                name: name(),
                verification_token: token(),
            },
        ),
        wire(
            "user",
            EmailVerified {
                customer_id: id(2),
                verified_at: at(),
            },
        ),
        wire("user", PasswordResetAsked { customer_id: id(2) }),
        wire(
            "user",
            PasswordResetRequested {
                customer_id: id(2),
                email: email(),
                name: name(),
                reset_token: token(),
            },
        ),
        wire(
            "user",
            PasswordChanged {
                customer_id: id(2),
                email: email(),
                name: name(),
                changed_at: at(),
            },
        ),
    ]
}

fn product_events() -> Vec<Value> {
    vec![
        wire(
            "product",
            ProductCreated {
                product_id: id(3),
                slug: String::from("mug"),
                title: String::from("Mug"),
            },
        ),
        wire(
            "product",
            ProductChanged {
                product_id: id(3),
                version: 7,
            },
        ),
        wire("product", ProductArchived { product_id: id(3) }),
    ]
}

fn priced() -> PricedCart {
    PricedCart {
        currency: Currency::EUR,
        lines: vec![PricedLine {
            id: id(4),
            variant_id: id(5),
            product_id: id(3),
            slug: String::from("mug"),
            sku: String::from("MUG-S"),
            title: String::from("Mug"),
            variant_title: String::from("S"),
            image_url: None,
            quantity: 2,
            unit_price: eur(1999),
            subtotal: eur(3998),
            discount: eur(400),
            total: eur(3598),
            tax: eur(574),
            requires_shipping: true,
        }],
        shipping: Some(PricedShipping {
            option: String::from("standard"),
            name: String::from("Standard"),
            price: eur(490),
            discount: eur(0),
            tax: eur(78),
        }),
        discounts: vec![AppliedDiscount {
            code: String::from("WELCOME"),
            amount: eur(400),
        }],
        totals: Totals {
            subtotal: eur(3998),
            discount: eur(400),
            shipping: eur(490),
            tax: eur(652),
            tax_rate: Rate::from_ppm(190_000).expect("a rate"),
            tax_included: true,
            total: eur(4088),
        },
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
        phone: None,
    }
}

fn order_events() -> Vec<Value> {
    vec![
        wire(
            "order",
            OrderPlaced {
                order_id: id(6),
                attempt: 1,
                cart_id: id(7),
                customer_id: Some(id(2)),
                email: email(),
                shipping_address: Some(address()),
                priced: priced(),
                payment: PaymentState::Authorised,
                placed_at: at(),
            },
        ),
        wire(
            "order",
            OrderCancelled {
                order_id: id(6),
                attempt: 1,
                customer_id: None,
                email: email(),
                lines: vec![SoldLine {
                    variant_id: id(5),
                    sku: String::from("MUG-S"),
                    title: String::from("Mug, S"),
                    quantity: 2,
                    total: eur(3598),
                }],
                refunded: Some(eur(4088)),
                reason: Some(String::from("ordered twice")),
                cancelled_at: at(),
            },
        ),
        wire(
            "order",
            OrderFulfilled {
                order_id: id(6),
                fulfilment_id: id(8),
                fulfilled_at: at(),
            },
        ),
        wire(
            "order",
            OrderShipped {
                order_id: id(6),
                fulfilment_id: id(8),
                customer_id: None,
                email: email(),
                carrier: Some(String::from("Gondola & Sons")),
                tracking_number: Some(String::from("4711")),
                shipped_at: at(),
            },
        ),
    ]
}

fn feed_events() -> Vec<Value> {
    vec![
        wire(
            "feed",
            PostPublished {
                post_id: id(9),
                customer_id: None,
                published_at: at(),
            },
        ),
        wire(
            "feed",
            PostRemoved {
                post_id: id(9),
                customer_id: Some(id(2)),
                staff_id: Some(id(10)),
                removed_at: at(),
            },
        ),
    ]
}

#[test]
fn events_look_as_they_always_did() {
    assert_json_snapshot!("user", user_events());
    assert_json_snapshot!("product", product_events());
    assert_json_snapshot!("order", order_events());
    assert_json_snapshot!("feed", feed_events());
}

#[test]
fn every_event_is_held_still() {
    let all = [
        user_events(),
        product_events(),
        order_events(),
        feed_events(),
    ]
    .concat();
    let held: BTreeSet<String> = all
        .iter()
        .map(|event| event["type"].as_str().expect("a type").to_owned())
        .collect();
    let declares = "const TYPE: &'static str = \"";
    let mut declared = BTreeSet::new();
    for (_, source) in rust_files("crates/contracts/src") {
        let types = source.split(declares).skip(1);
        declared.extend(types.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()));
    }
    assert_eq!(declared, held, "an event of the contracts has no snapshot");
    for event_type in held {
        assert!(
            event_type.starts_with("rialto.") && event_type.ends_with(".v1"),
            "{event_type}"
        );
    }
}
