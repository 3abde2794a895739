//! `POST /v1/quotes`.

use serde_json::{Value, json};
use testkit::{TestShop, eur, jpy};

use crate::goods::{address, line, mug, plenty};

/// What a cart shows that is its own, and not what a quote has too.
const OWN: [&str; 7] = [
    "id",
    "version",
    "state",
    "customer_id",
    "created_at",
    "updated_at",
    "expires_at",
];

#[tokio::test]
async fn a_quote_equals_the_cart() {
    let shop = TestShop::start().await;
    let (mug, bowl) = (mug(&shop).await, plenty(&shop, "bowl", eur(7_53)).await);
    let promotion = json!({"code": "TEN", "rate": 100_000});
    let admin = shop.admin().await;
    admin.post("/v1/promotions", promotion).await.expect(201);
    let whole = json!({
        "currency": "EUR",
        "email": "ada@example.com",
        "shipping_address": address("DE"),
        "shipping_option": "standard",
        "payment": {"provider": "test", "token": "tok_ok"},
        "promotion_codes": ["ten"],
        "lines": [line(&mug.variant_id, 3), line(&bowl.variant_id, 2)],
    });
    let mut cart = shop.client().post("/v1/carts", &whole).await.expect(201);
    let mut quote = shop.client().post("/v1/quotes", &whole).await.expect(200);
    assert_eq!(quote["discounts"][0]["amount"], json!(eur(4_51)));
    for field in OWN {
        let own = cart.as_object_mut().and_then(|cart| cart.remove(field));
        assert!(own.is_some(), "{field}");
    }
    for lines in [&mut cart["lines"], &mut quote["lines"]] {
        for line in lines.as_array_mut().expect("lines") {
            line["id"] = Value::Null;
        }
    }
    assert_eq!(quote, cart);
}

#[tokio::test]
async fn a_quote_is_the_same_each_time_and_leaves_nothing() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let body = json!({"currency": "EUR", "lines": [line(&mug.variant_id, 1)]});
    let post = || shop.client().post("/v1/quotes", &body);
    let first = post().await.expect(200);
    assert_eq!(first, post().await.expect(200));
    let line_id = first["lines"][0]["id"].as_str().expect("an id");
    assert_eq!(
        line_id.trim_start_matches("line_"),
        mug.variant_id.trim_start_matches("var_")
    );
}

#[tokio::test]
async fn a_quote_keeps_the_rules_of_a_cart() {
    let shop = TestShop::start().await;
    let fan = plenty(&shop, "fan", jpy(500)).await;
    let post = |body| shop.client().post("/v1/quotes", body);
    let no_price = json!({"currency": "EUR", "lines": [line(&fan.variant_id, 1)]});
    post(no_price).await.problem(422, "cart.no_price");
    let no_code = json!({"currency": "JPY", "promotion_codes": ["NONE"]});
    post(no_code).await.problem(422, "cart.bad_promotion_code");
    let no_option = json!({"currency": "JPY", "shipping_option": "pigeon"});
    post(no_option)
        .await
        .problem(422, "cart.bad_shipping_option");
    let too_many = json!({"currency": "JPY", "lines": [line(&fan.variant_id, 10_001)]});
    post(too_many).await.problem(422, "request.invalid");
    let no_currency = json!({"currency": "XAU"});
    post(no_currency).await.problem(422, "request.invalid");
    let yen = json!({"currency": "JPY", "lines": [line(&fan.variant_id, 3)]});
    let quote = post(yen).await.expect(200);
    assert_eq!(quote["totals"]["total"], json!(jpy(1500)));
}
