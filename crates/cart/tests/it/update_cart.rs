//! `PATCH /v1/carts/{id}`.

use serde_json::{Value, json};
use testkit::{TestShop, eur, money};

use crate::goods::{address, cart, line, missing, mug, path};

#[tokio::test]
async fn details_are_set_kept_and_removed() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 1)]).await;
    let patch = |body| shop.client().patch(path(&cart), body);
    let body = json!({
        "email": "ada@example.com",
        "shipping_address": address("DE"),
        "billing_address": address("FR"),
        "shipping_option": "express",
        "payment": {"provider": "test", "token": "tok_ok"},
    });
    let answer = patch(body).await;
    assert!(answer.etag().starts_with("\"2-"));
    let full = answer.expect(200);
    assert_eq!(missing(&full), [""; 0]);
    assert_eq!(full["shipping_address"], address("DE"));
    assert_eq!(full["billing_address"], address("FR"));
    assert_eq!(full["shipping"]["price"], json!(eur(12_90)));
    assert_eq!(full["payment"]["provider"], "test");
    let kept = patch(json!({"email": "eda@example.com"})).await.expect(200);
    assert_eq!(kept["email"], "eda@example.com");
    assert_eq!(kept["shipping_option"], "express");
    let nothing = json!({"email": null, "shipping_address": null, "billing_address": null,
                         "shipping_option": null, "payment": null, "promotion_codes": null});
    let bare = patch(nothing).await.expect(200);
    for field in ["email", "shipping_address", "billing_address", "payment"] {
        assert_eq!(bare[field], Value::Null, "{field}");
    }
    assert_eq!(bare["lines"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn every_broken_rule_is_pointed_at() {
    let shop = TestShop::start().await;
    let cart = cart(shop.client(), &[]).await;
    let mut nameless = address("DE");
    nameless["name"] = json!("");
    for (body, pointer) in [
        (json!({"email": "nobody"}), "/email"),
        (
            json!({"shipping_address": nameless}),
            "/shipping_address/name",
        ),
        (
            json!({"billing_address": address("XX")}),
            "/billing_address/country",
        ),
        (json!({"shipping_option": ""}), "/shipping_option"),
        (
            json!({"payment": {"provider": "test", "token": ""}}),
            "/payment/token",
        ),
        (json!({"promotion_codes": [""]}), "/promotion_codes/0"),
        (
            json!({"promotion_codes": vec!["A"; 11]}),
            "/promotion_codes",
        ),
    ] {
        let problem = shop.client().patch(path(&cart), body).await;
        let problem = problem.problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let unknown = shop.client().patch(path(&cart), json!({"colour": 1})).await;
    unknown.problem(422, "request.invalid");
    let provider = json!({"payment": {"provider": "barter"}});
    let problem = shop.client().patch(path(&cart), provider).await;
    let problem = problem.problem(422, "cart.bad_payment_provider");
    assert_eq!(problem["errors"][0]["pointer"], "/payment/provider");
    let stale = shop.client().patch(path(&cart), json!({"email": null}));
    let stale = stale.if_match("\"2\"").await;
    stale.problem(412, "request.stale");
}

#[tokio::test]
async fn a_way_of_sending_must_exist_and_go_there() {
    let shop = TestShop::builder()
        .set("cart.shipping.gondola.name", "Gondola")
        .set("cart.shipping.gondola.countries", "[\"IT\"]")
        .set("cart.shipping.gondola.price.eur", 100)
        .start()
        .await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 1)]).await;
    let patch = |body| shop.client().patch(path(&cart), body);
    let code = "cart.bad_shipping_option";
    let unknown = patch(json!({"shipping_option": "pigeon"})).await;
    let problem = unknown.problem(422, code);
    assert_eq!(problem["errors"][0]["pointer"], "/shipping_option");
    let there = json!({"shipping_option": "gondola", "shipping_address": address("DE")});
    patch(there).await.problem(422, code);
    let here = json!({"shipping_option": "gondola", "shipping_address": address("IT")});
    let sent = patch(here).await.expect(200);
    assert_eq!(sent["shipping"]["price"], json!(eur(1_00)));
    // A new address that it does not reach is no error, but something to be done.
    let moved = patch(json!({"shipping_address": address("DE")})).await;
    let moved = moved.expect(200);
    assert_eq!(moved["shipping"], Value::Null);
    assert_eq!(moved["shipping_option"], "gondola");
    assert!(missing(&moved).contains(&String::from("shipping_option")));
    let sterling = json!({"currency": "GBP", "shipping_option": "gondola"});
    let refused = shop.client().post("/v1/carts", sterling).await;
    refused.problem(422, code);
}

#[tokio::test]
async fn sending_costs_nothing_from_a_value_on() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 5)]).await;
    let body = json!({"shipping_option": "standard", "shipping_address": address("DE")});
    let free = shop.client().patch(path(&cart), body).await.expect(200);
    assert_eq!(free["shipping"]["price"], json!(eur(4_90)));
    assert_eq!(free["shipping"]["discount"], json!(eur(4_90)));
    assert_eq!(free["totals"]["discount"], json!(eur(4_90)));
    assert_eq!(free["totals"]["total"], json!(eur(50_00)));
}

#[tokio::test]
async fn tax_is_on_top_where_prices_do_not_include_it() {
    let shop = TestShop::builder()
        .set("cart.tax.included", false)
        .set("cart.tax.rates.us", 88_750)
        .start()
        .await;
    let fan = shop.product("fan").inventory("none");
    let fan = fan.price(money(19_99, "USD")).create().await;
    let body = json!({
        "currency": "USD",
        "shipping_address": address("US"),
        "shipping_option": "standard",
        "lines": [line(&fan.variant_id, 1)],
    });
    let cart = shop.client().post("/v1/carts", body).await.expect(201);
    assert_eq!(cart["lines"][0]["tax"]["amount"], 177);
    assert_eq!(cart["shipping"]["tax"]["amount"], 52);
    assert_eq!(cart["totals"]["tax"]["amount"], 229);
    assert_eq!(cart["totals"]["total"]["amount"], 1999 + 590 + 229);
    assert_eq!(cart["totals"]["tax_included"], false);
}

#[tokio::test]
async fn an_amount_that_does_not_fit_is_refused() {
    let shop = TestShop::builder()
        .set("cart.shipping.rocket.name", "Rocket")
        .set("cart.shipping.rocket.price.eur", i64::MAX)
        .start()
        .await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 1)]).await;
    let body = json!({"shipping_option": "rocket"});
    let refused = shop.client().patch(path(&cart), body).await;
    refused.problem(422, "cart.amount_out_of_range");
    let unchanged = shop.client().get(path(&cart)).await.expect(200);
    assert_eq!(unchanged, cart);
}
