//! `POST /v1/orders`.

use serde_json::json;
use testkit::{TestShop, eur};

use crate::{available, book};

#[tokio::test]
async fn a_cart_becomes_an_order() {
    let shop = TestShop::start().await;
    let mug = shop
        .product("mug")
        .price(eur(19_99))
        .stock(5)
        .create()
        .await;
    let answer = shop.guest("ada@example.com").buys(&mug, 2).await;
    assert!(answer.etag().starts_with('"'));
    let order = answer.expect(201);
    assert_eq!(order["state"], "placed");
    assert_eq!(
        order["payment"],
        json!({"provider": "test", "state": "authorised"})
    );
    assert_eq!(order["lines"][0]["quantity"], 2);
    assert_eq!(
        order["lines"][0]["total"],
        json!({"amount": 3998, "currency": "EUR"})
    );
    assert_eq!(book(&shop, &order).await, ["authorised"]);
    shop.settle().await;
    assert_eq!(available(&shop, &mug).await, 3);
}

#[tokio::test]
async fn a_request_needs_a_key() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(1).create().await;
    let cart = shop.guest("ada@example.com").cart_with(&mug, 1).await;
    let answer = shop
        .client()
        .post("/v1/orders", json!({"cart_id": cart}))
        .await;
    answer.problem(400, "idempotency.key_required");
}

#[tokio::test]
async fn the_same_request_five_times_is_one_order() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(10).create().await;
    let ada = shop.guest("ada@example.com");
    let cart = ada.cart_with(&mug, 1).await;
    let key = "five-times-the-same-request";
    let (a, b, c, d, e) = tokio::join!(
        ada.places(&cart, key),
        ada.places(&cart, key),
        ada.places(&cart, key),
        ada.places(&cart, key),
        ada.places(&cart, key),
    );
    let answers = [a, b, c, d, e];
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.bytes == answers[0].bytes)
    );
    let fresh = answers
        .iter()
        .filter(|a| a.header("idempotent-replayed").is_none())
        .count();
    assert_eq!(
        fresh, 1,
        "one was the first, the others are told that they are not"
    );
    shop.settle().await;
    // Long after, when the cart is gone from the customer's screen: still the same.
    let late = ada.places(&cart, key).await;
    assert_eq!(late.bytes, answers[0].bytes);
    assert_eq!(book(&shop, &late.body).await, ["authorised"]);
    assert_eq!(available(&shop, &mug).await, 9);
}

#[tokio::test]
async fn another_key_for_the_same_cart_is_told_which_order_it_is() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(10).create().await;
    let ada = shop.guest("ada@example.com");
    let cart = ada.cart_with(&mug, 1).await;
    let order = ada.places(&cart, "the-first-of-two-keys").await.expect(201);
    let problem = ada.places(&cart, "the-second-of-two-keys").await;
    let problem = problem.problem(409, "order.already_placed");
    assert_eq!(problem["context"]["order_id"], order["id"]);
}

#[tokio::test]
async fn a_key_means_one_payload() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(10).create().await;
    let ada = shop.guest("ada@example.com");
    let cart = ada.cart_with(&mug, 1).await;
    let key = "one-key-for-two-payloads";
    ada.places(&cart, key).await.expect(201);
    let other = json!({"cart_id": cart, "expected_total": eur(1)});
    let other = ada.client.post("/v1/orders", other).key(key).await;
    other.problem(422, "idempotency.key_reused");
}

#[tokio::test]
async fn what_is_missing_is_listed() {
    let shop = TestShop::start().await;
    let cart = shop
        .client()
        .post("/v1/carts", json!({"currency": "EUR"}))
        .await
        .expect(201);
    let answer = shop.guest("ada@example.com");
    let answer = answer
        .places(cart["id"].as_str().expect("an id"), "an-empty-cart-key")
        .await;
    let problem = answer.problem(422, "order.requirements");
    let kinds: Vec<&str> = problem["context"]["requirements"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|requirement| requirement["kind"].as_str())
        .collect();
    assert!(
        kinds.contains(&"lines") && kinds.contains(&"payment"),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_sold_nor_charged() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(1).create().await;
    let (ada, bob) = (shop.guest("ada@example.com"), shop.guest("bob@example.com"));
    let carts = (ada.cart_with(&mug, 1).await, bob.cart_with(&mug, 1).await);
    ada.places(&carts.0, "ada-buys-the-last-mug")
        .await
        .expect(201);
    let refused = bob.places(&carts.1, "bob-comes-too-late").await;
    let again = bob.places(&carts.1, "bob-comes-too-late").await;
    assert_eq!(
        refused.bytes, again.bytes,
        "a refusal is repeated as it was"
    );
    let problem = refused.problem(409, "order.out_of_stock");
    assert_eq!(problem["context"]["lines"][0]["left"], 0);
    assert_eq!(problem["context"]["lines"][0]["wanted"], 1);
    let entries = order::read_book(shop.db(rialto::Role::Order), None)
        .await
        .expect("the book");
    assert_eq!(entries.len(), 1, "bob was never asked for money");
    // Somebody brings another one: bob tries again with a new key, and gets it.
    let admin = shop.admin().await;
    let path = format!("/v1/inventory/{}/adjustments", mug.variant_id);
    admin
        .post(path, json!({"delta": 1, "reason": "received"}))
        .await
        .ok();
    bob.places(&carts.1, "bob-tries-once-more")
        .await
        .expect(201);
}

#[tokio::test]
async fn a_refused_payment_can_be_replaced_by_another() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(1).create().await;
    let ada = shop.guest("ada@example.com").paying_with("tok_declined");
    let cart = ada.cart_with(&mug, 1).await;
    let refused = ada.places(&cart, "with-the-first-card").await;
    let again = ada.places(&cart, "with-the-first-card").await;
    assert_eq!(refused.bytes, again.bytes);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    refused.problem(402, "order.payment_declined");
    assert_eq!(available(&shop, &mug).await, 1, "nothing stays reserved");
    let other = json!({"payment": {"provider": "test", "token": "tok_ok"}});
    ada.client
        .patch(format!("/v1/carts/{cart}"), other)
        .await
        .ok();
    let order = ada.places(&cart, "with-the-second-card").await.expect(201);
    assert_eq!(book(&shop, &order).await, ["declined", "authorised"]);
}

#[tokio::test]
async fn invoices_need_no_provider() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(3).create().await;
    let ada = shop.guest("ada@example.com");
    let cart = ada.cart_with(&mug, 1).await;
    let manual = json!({"payment": {"provider": "manual"}});
    ada.client
        .patch(format!("/v1/carts/{cart}"), manual)
        .await
        .ok();
    let first = ada.places(&cart, "to-be-paid-by-invoice").await;
    let again = ada.places(&cart, "to-be-paid-by-invoice").await;
    assert_eq!(first.bytes, again.bytes);
    let order = first.expect(201);
    assert_eq!(order["payment"]["state"], "manual");
    assert!(book(&shop, &order).await.is_empty());
    shop.settle().await;
    assert_eq!(available(&shop, &mug).await, 2);
}

#[tokio::test]
async fn the_price_and_the_version_can_be_insisted_on() {
    let shop = TestShop::start().await;
    let mug = shop
        .product("mug")
        .price(eur(10_00))
        .stock(3)
        .create()
        .await;
    let ada = shop.guest("ada@example.com");
    let cart = ada.cart_with(&mug, 1).await;
    let view = ada.client.get(format!("/v1/carts/{cart}")).await.ok();
    let wrong = json!({"cart_id": cart, "expected_total": eur(9_99)});
    let wrong = ada
        .client
        .post("/v1/orders", wrong)
        .key("a-total-of-yesterday")
        .await;
    wrong.problem(409, "order.price_changed");
    let stale = json!({"cart_id": cart, "cart_version": 1});
    let stale = ada
        .client
        .post("/v1/orders", stale)
        .key("a-version-of-yesterday")
        .await;
    stale.problem(412, "request.stale");
    let right = json!({
        "cart_id": cart,
        "cart_version": view["version"],
        "expected_total": view["totals"]["total"],
    });
    ada.client
        .post("/v1/orders", right)
        .key("what-the-customer-saw")
        .await
        .expect(201);
}

#[tokio::test]
async fn nobody_orders_from_the_cart_of_a_customer() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(3).create().await;
    let (ada, bob) = (shop.customer("ada").await, shop.customer("bob").await);
    let cart = ada.cart_with(&mug, 1).await;
    bob.places(&cart, "bob-tries-the-cart-of-ada")
        .await
        .problem(404, "cart.not_found");
    let guest = shop.guest("eve@example.com");
    guest
        .places(&cart, "eve-tries-the-cart-of-ada")
        .await
        .problem(404, "cart.not_found");
    let order = ada
        .places(&cart, "ada-takes-her-own-cart")
        .await
        .expect(201);
    assert_eq!(order["customer_id"].as_str(), ada.customer_id.as_deref());
}

#[tokio::test]
async fn a_customer_is_written_to_without_saying_where() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(3).create().await;
    let ada = shop.customer("ada").await;
    let cart = ada.cart_with(&mug, 1).await;
    ada.client
        .patch(format!("/v1/carts/{cart}"), json!({"email": null}))
        .await
        .ok();
    let order = ada.places(&cart, "ada-has-no-address").await.expect(201);
    assert_eq!(order["email"], "ada@example.com");
}

/// The whole way, counted over all services: twelve statements at the most, whatever is bought.
#[tokio::test]
async fn placing_an_order_costs_twelve_statements() {
    let shop = TestShop::builder().calm_bus().start().await;
    let mut products = Vec::new();
    let admin = shop.admin().await;
    for number in 0..20 {
        let slug = format!("article-{number}");
        products.push(shop.product(&slug).stock(1000).create_as(&admin).await);
    }
    let ada = shop.guest("ada@example.com");
    for lines in [1, 20] {
        let cart = ada.cart_with(&products[0], 3).await;
        for product in &products[1..lines] {
            let line = json!({"variant_id": product.variant_id, "quantity": 7});
            ada.client
                .post(format!("/v1/carts/{cart}/lines"), line)
                .await
                .ok();
        }
        shop.settle().await;
        let metric = "rialto_http_statements_total{role=\"order\",route=\"/v1/orders\"";
        let before = shop.metric(metric).await;
        ada.places(&cart, &format!("an-order-of-{lines}-lines"))
            .await
            .expect(201);
        let spent = shop.metric(metric).await - before;
        assert!(spent > 0, "the statements were counted");
        if rialto_is_whole() {
            assert!(spent <= 12, "{lines} lines cost {spent} statements");
        }
    }
}

/// Only where every service runs in one process does the order's count hold those of the others.
fn rialto_is_whole() -> bool {
    testkit::Layout::from_environment() == testkit::Layout::AllInOne
}
