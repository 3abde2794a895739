//! `POST /v1/payments/webhooks/{provider}`: before, during and after the answer, once or five
//! times, the result is the same.

use std::cell::Cell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contracts::order::OrderId;
use kernel::Sources;
use platform::sql;
use rialto::Role;
use ring::hmac;
use serde_json::{Value, json};
use testkit::{Answer, TestShop};

use crate::{available, book};

const SECRET: &str = "a secret of the test provider and of us";

async fn shop() -> TestShop {
    TestShop::builder()
        .set("payment.test_webhook_secret", SECRET)
        .start()
        .await
}

/// Sends a webhook as the provider would.
async fn webhook(shop: &TestShop, kind: &str, order: &Value) -> Answer {
    let sources: &Sources = shop.sources();
    let body = json!({"type": kind, "data": {"order_id": order["id"]}}).to_string();
    let (id, timestamp) = ("msg_1", sources.now().seconds().to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    shop.client()
        .request(http::Method::POST, "/v1/payments/webhooks/test")
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", format!("v1,{}", STANDARD.encode(tag)))
        .bytes(body)
        .await
}

async fn pending_order(shop: &TestShop, mug: &testkit::Product) -> Value {
    let ada = shop.guest("ada@example.com").paying_with("tok_later");
    let order = ada.buys(mug, 1).await.expect(202);
    assert_eq!(order["state"], "pending");
    assert_eq!(order["payment"]["state"], "pending");
    order
}

async fn state(shop: &TestShop, order: &Value) -> String {
    let admin = shop.admin().await;
    let path = format!("/v1/orders/{}", order["id"].as_str().expect("an id"));
    admin.get(path).await.ok()["state"]
        .as_str()
        .expect("a state")
        .to_owned()
}

#[tokio::test]
async fn a_payment_that_comes_later_places_the_order_once() {
    let shop = shop().await;
    let mug = shop.product("mug").stock(5).create().await;
    let order = pending_order(&shop, &mug).await;
    for _ in 0..5 {
        webhook(&shop, "payment.authorised", &order)
            .await
            .expect(204);
    }
    shop.settle().await;
    assert_eq!(state(&shop, &order).await, "placed");
    assert_eq!(book(&shop, &order).await, ["authorised"]);
    assert_eq!(available(&shop, &mug).await, 4);
}

#[tokio::test]
async fn five_webhooks_at_once_place_the_order_once() {
    let shop = shop().await;
    let mug = shop.product("mug").stock(5).create().await;
    let order = pending_order(&shop, &mug).await;
    let (a, b, c, d, e) = tokio::join!(
        webhook(&shop, "payment.authorised", &order),
        webhook(&shop, "payment.authorised", &order),
        webhook(&shop, "payment.authorised", &order),
        webhook(&shop, "payment.authorised", &order),
        webhook(&shop, "payment.authorised", &order),
    );
    for answer in [a, b, c, d, e] {
        answer.expect(204);
    }
    shop.settle().await;
    assert_eq!(state(&shop, &order).await, "placed");
    assert_eq!(available(&shop, &mug).await, 4);
}

#[tokio::test]
async fn a_payment_that_is_refused_later_gives_the_goods_back() {
    let shop = shop().await;
    let mug = shop.product("mug").stock(5).create().await;
    let order = pending_order(&shop, &mug).await;
    assert_eq!(available(&shop, &mug).await, 4);
    webhook(&shop, "payment.declined", &order).await.expect(204);
    webhook(&shop, "payment.authorised", &order)
        .await
        .expect(204);
    shop.settle().await;
    assert_eq!(state(&shop, &order).await, "failed");
    assert_eq!(available(&shop, &mug).await, 5);
}

#[tokio::test]
async fn a_webhook_for_an_order_that_is_placed_changes_nothing() {
    let shop = shop().await;
    let mug = shop.product("mug").stock(5).create().await;
    let order = shop
        .guest("ada@example.com")
        .buys(&mug, 1)
        .await
        .expect(201);
    for kind in [
        "payment.authorised",
        "payment.declined",
        "payment.something_new",
    ] {
        webhook(&shop, kind, &order).await.expect(204);
    }
    assert_eq!(state(&shop, &order).await, "placed");
    assert_eq!(book(&shop, &order).await, ["authorised"]);
}

#[tokio::test]
async fn webhooks_while_the_order_is_being_placed_change_nothing() {
    let shop = shop().await;
    let mug = shop.product("mug").stock(50).create().await;
    let told = Cell::new(0);
    for round in 1..=20 {
        let ada = shop.guest("ada@example.com");
        // The provider is as fast as we are: it tells as soon as there is an order.
        let telling = async {
            loop {
                if let Some(order) = youngest_pending(&shop).await {
                    webhook(&shop, "payment.authorised", &order)
                        .await
                        .expect(204);
                    told.set(told.get() + 1);
                }
                tokio::task::yield_now().await;
            }
        };
        let answer: Answer = tokio::select! {
            answer = ada.buys(&mug, 1) => answer,
            () = telling => unreachable!("it tells as long as there is time"),
        };
        let order = answer.expect(201);
        webhook(&shop, "payment.authorised", &order)
            .await
            .expect(204);
        shop.settle().await;
        assert_eq!(state(&shop, &order).await, "placed");
        assert_eq!(book(&shop, &order).await, ["authorised"]);
        assert_eq!(available(&shop, &mug).await, 50 - round);
    }
    assert!(
        told.get() > 0,
        "no webhook came while an order was being placed"
    );
}

/// The order that waits for its payment, if there is one.
async fn youngest_pending(shop: &TestShop) -> Option<Value> {
    let tx = shop.db(Role::Order).read().await.expect("reads");
    let statement = sql!("SELECT id FROM orders WHERE state = 'pending' LIMIT 1");
    let found = tx
        .one::<(OrderId,)>(statement, &[])
        .await
        .expect("a statement");
    found.map(|(id,)| json!({"id": id}))
}

#[tokio::test]
async fn a_webhook_before_there_is_an_order_is_harmless() {
    let shop = shop().await;
    let order = json!({"id": "ord_01k3v7m0s2ev3bq1w1m2r8x5zc"});
    webhook(&shop, "payment.authorised", &order)
        .await
        .expect(204);
}

#[tokio::test]
async fn unsigned_webhooks_do_not_count() {
    let shop = shop().await;
    let mug = shop.product("mug").stock(5).create().await;
    let order = pending_order(&shop, &mug).await;
    let body = json!({"type": "payment.authorised", "data": {"order_id": order["id"]}});
    let unsigned = shop
        .client()
        .post("/v1/payments/webhooks/test", &body)
        .await;
    unsigned.problem(401, "order.bad_webhook_signature");
    let wrong = shop
        .client()
        .post("/v1/payments/webhooks/test", &body)
        .header("webhook-id", "msg_1")
        .header(
            "webhook-timestamp",
            shop.sources().now().seconds().to_string(),
        )
        .header("webhook-signature", "v1,AAAA")
        .await;
    wrong.problem(401, "order.bad_webhook_signature");
    let unknown = shop
        .client()
        .post("/v1/payments/webhooks/stripes", &body)
        .await;
    unknown.problem(404, "order.unknown_provider");
    assert_eq!(state(&shop, &order).await, "pending");
}

#[tokio::test]
async fn a_shop_without_a_secret_takes_no_webhooks() {
    let shop = TestShop::start().await;
    let order = json!({"id": "ord_01k3v7m0s2ev3bq1w1m2r8x5zc"});
    webhook(&shop, "payment.authorised", &order)
        .await
        .problem(401, "order.bad_webhook_signature");
}
