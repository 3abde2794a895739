//! `POST /v1/orders/lookup`.

use serde_json::json;
use testkit::TestShop;

#[tokio::test]
async fn a_guest_finds_an_order_by_its_id_and_address() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(1).create().await;
    let order = shop
        .guest("ada@example.com")
        .buys(&mug, 1)
        .await
        .expect(201);
    let path = format!("/v1/orders/{}", order["id"].as_str().expect("an id"));
    shop.client().get(&path).await.problem(401, "auth.required");
    let right = json!({"order_id": order["id"], "email": "ADA@example.com"});
    let found = shop.client().post("/v1/orders/lookup", right).await.ok();
    assert_eq!(found["id"], order["id"]);
    let wrong = json!({"order_id": order["id"], "email": "eve@example.com"});
    shop.client()
        .post("/v1/orders/lookup", wrong)
        .await
        .problem(404, "order.not_found");
}
