//! `POST /v1/orders/{id}/cancel`.

use kernel::StaffRole;
use serde_json::json;
use testkit::{TestShop, eur};

use crate::{available, book};

#[tokio::test]
async fn stock_and_money_go_back() {
    let shop = TestShop::start().await;
    let mug = shop
        .product("mug")
        .price(eur(10_00))
        .stock(5)
        .create()
        .await;
    let ada = shop.customer("ada").await;
    let order = ada.buys(&mug, 2).await.expect(201);
    shop.settle().await;
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().expect("an id"));
    let cancelled = ada
        .client
        .post(&path, json!({"reason": "too large"}))
        .await
        .ok();
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(cancelled["payment"]["state"], "voided");
    assert_eq!(cancelled["cancellation"]["reason"], "too large");
    assert_eq!(
        cancelled["cancellation"]["refunded"],
        order["totals"]["total"]
    );
    shop.settle().await;
    assert_eq!(available(&shop, &mug).await, 5);
    assert_eq!(book(&shop, &order).await, ["voided"]);
    let again = ada.client.post(&path, json!({})).await;
    again.problem(409, "order.invalid_transition");
}

#[tokio::test]
async fn cancelled_before_the_stock_knows_of_it() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(5).create().await;
    let ada = shop.customer("ada").await;
    let order = ada.buys(&mug, 2).await.expect(201);
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().expect("an id"));
    ada.client.post(&path, json!({})).await.ok();
    shop.settle().await;
    assert_eq!(available(&shop, &mug).await, 5);
}

#[tokio::test]
async fn money_that_was_taken_is_given_back() {
    let shop = TestShop::builder()
        .set("order.capture", "placement")
        .start()
        .await;
    let mug = shop.product("mug").stock(5).create().await;
    let ada = shop.customer("ada").await;
    let order = ada.buys(&mug, 2).await.expect(201);
    assert_eq!(order["payment"]["state"], "captured");
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().expect("an id"));
    let cancelled = ada.client.post(&path, json!({})).await.ok();
    assert_eq!(cancelled["payment"]["state"], "refunded");
    assert_eq!(book(&shop, &order).await, ["refunded"]);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(5).create().await;
    let ada = shop.customer("ada").await;
    let order = ada.buys(&mug, 1).await.expect(201);
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().expect("an id"));
    let first = ada.client.post(&path, json!({})).key("k").await;
    let again = ada.client.post(&path, json!({})).key("k").await;
    assert_eq!((first.status, &first.bytes), (200, &again.bytes));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn only_who_owns_it_or_may_cancel_cancels() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(5).create().await;
    let (ada, bob) = (shop.customer("ada").await, shop.customer("bob").await);
    let order = ada.buys(&mug, 1).await.expect(201);
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().expect("an id"));
    bob.client
        .post(&path, json!({}))
        .await
        .problem(404, "order.not_found");
    let warehouse = shop.staff(StaffRole::Warehouse).await;
    warehouse
        .post(&path, json!({}))
        .await
        .problem(403, "auth.forbidden");
    let support = shop.staff(StaffRole::Support).await;
    let stale = support.post(&path, json!({})).if_match("\"1\"").await;
    stale.problem(412, "request.stale");
    support.post(&path, json!({})).await.ok();
}
