//! Carts that have become orders.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Buyer, TestShop, eur};

use crate::goods::{cart, line, mug, path, plenty, text};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Buys three mugs; the cart as it is after everything has settled.
async fn ordered(shop: &TestShop, buyer: &Buyer) -> Value {
    let mug = mug(shop).await;
    let id = buyer.cart_with(&mug, 3).await;
    buyer
        .places(&id, "an order of three mugs")
        .await
        .expect(201);
    shop.settle().await;
    buyer
        .client
        .get(format!("/v1/carts/{id}"))
        .await
        .expect(200)
}

#[tokio::test]
async fn a_cart_that_has_become_an_order_can_only_be_read() {
    let shop = TestShop::start().await;
    let buyer = shop.guest("ada@example.com");
    let cart = ordered(&shop, &buyer).await;
    assert_eq!(cart["state"], "completed");
    assert_eq!(cart["totals"]["total"], json!(eur(34_90)));
    assert_eq!(cart["requirements"], json!([]));
    let variant = text(&cart["lines"][0]["variant_id"]);
    let line_path = format!("{}/lines/{}", path(&cart), text(&cart["lines"][0]["id"]));
    let client = shop.client();
    let changes = [
        client.post(format!("{}/lines", path(&cart)), line(&variant, 1)),
        client.patch(&line_path, json!({"quantity": 2})),
        client.delete(&line_path),
        client.patch(path(&cart), json!({"email": null})),
    ];
    for change in changes {
        change.await.problem(409, "cart.completed");
    }
    let ada = shop.customer("ada").await;
    let claim = ada.client.post(format!("{}/claim", path(&cart)), json!({}));
    claim.await.problem(409, "cart.completed");
    assert_eq!(client.get(path(&cart)).await.expect(200), cart);
}

#[tokio::test]
async fn it_shows_what_was_sold_and_leads_to_its_order() {
    let shop = TestShop::start().await;
    let buyer = shop.guest("ada@example.com");
    let cart = ordered(&shop, &buyer).await;
    let id = text(&cart["id"]);
    let order = buyer
        .places(&id, "an order of three mugs")
        .await
        .expect(201);
    assert_eq!(order["totals"], cart["totals"]);
    assert_eq!(order["lines"], cart["lines"]);
}

#[tokio::test]
async fn it_is_kept_for_a_while() {
    let shop = TestShop::start().await;
    let buyer = shop.guest("ada@example.com");
    let cart = ordered(&shop, &buyer).await;
    shop.clock.advance(DAY * 8);
    shop.settle().await;
    shop.client().get(path(&cart)).await.expect(200);
    shop.clock.advance(DAY * 30);
    shop.settle().await;
    let gone = shop.client().get(path(&cart)).await;
    gone.problem(404, "cart.not_found");
}

#[tokio::test]
async fn the_customer_begins_a_new_one() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    ordered(&shop, &ada).await;
    let current = ada.client.get("/v1/carts/current").await;
    current.problem(404, "cart.not_found");
    let next = cart(&ada.client, &[]).await;
    shop.settle().await;
    let current = ada.client.get("/v1/carts/current").await;
    assert_eq!(current.expect(200)["id"], next["id"]);
}

#[tokio::test]
async fn an_order_of_one_cart_leaves_a_newer_one_alone() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    let mug = plenty(&shop, "mug", eur(10_00)).await;
    let id = ada.cart_with(&mug, 1).await;
    let newer = cart(&ada.client, &[line(&mug.variant_id, 2)]).await;
    ada.places(&id, "an order of the older cart")
        .await
        .expect(201);
    shop.settle().await;
    let current = ada.client.get("/v1/carts/current").await;
    assert_eq!(current.expect(200), newer);
}

/// The event comes long after the cart would have gone.
#[tokio::test]
async fn an_order_that_is_told_late_harms_nothing() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let buyer = shop.guest("ada@example.com");
    let id = buyer.cart_with(&mug, 1).await;
    buyer
        .places(&id, "an order that is told late")
        .await
        .expect(201);
    shop.clock.advance(DAY * 365);
    shop.settle().await;
    let failed = "rialto_events_total{consumer=\"cart.complete\",outcome=\"failed\"";
    assert_eq!(shop.metric(failed).await, 0);
}
