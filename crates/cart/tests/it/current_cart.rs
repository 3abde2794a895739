//! `GET /v1/carts/current`.

use serde_json::json;
use testkit::TestShop;

use crate::goods::cart;

#[tokio::test]
async fn the_cart_that_was_created_last_is_the_current_one() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    let current = || ada.client.get("/v1/carts/current");
    current().await.problem(404, "cart.not_found");
    cart(&ada.client, &[]).await;
    let second = cart(&ada.client, &[]).await;
    let answer = current().await;
    assert!(answer.etag().starts_with("\"1-"));
    assert_eq!(answer.expect(200), second);
    let bob = shop.customer("bob").await;
    let none = bob.client.get("/v1/carts/current").await;
    none.problem(404, "cart.not_found");
    let nobody = shop.client().get("/v1/carts/current").await;
    nobody.problem(401, "auth.required");
}

#[tokio::test]
async fn an_old_request_that_comes_again_does_not_bring_its_cart_back() {
    let shop = TestShop::start().await;
    let ada = shop.customer("ada").await;
    let post = |key: &str| {
        let body = json!({"currency": "EUR"});
        ada.client.post("/v1/carts", body).key(key)
    };
    post("first").await.expect(201);
    shop.clock.advance(std::time::Duration::from_secs(1));
    let second = post("second").await.expect(201);
    post("first").await.expect(201);
    let current = ada.client.get("/v1/carts/current").await;
    assert_eq!(current.expect(200)["id"], second["id"]);
}
