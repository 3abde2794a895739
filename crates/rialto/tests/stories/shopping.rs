//! A customer's way through the shop, from the registration to the parcel.

use kernel::StaffRole;
use serde_json::{Value, json};
use testkit::{Client, TestShop, eur};

#[tokio::test]
async fn from_the_registration_to_the_parcel() {
    let shop = TestShop::start().await;
    let mug = shop
        .product("blue-mug")
        .price(eur(19_99))
        .stock(10)
        .create()
        .await;
    let ada = shop.customer("ada").await;

    // She looks around as nobody in particular, and puts a mug into a cart.
    look_around(&shop).await;
    let line = json!({"variant_id": mug.variant_id, "quantity": 1});
    let body = json!({"currency": "EUR", "lines": [line]});
    let cart = shop.client().post("/v1/carts", body).await.expect(201);
    let path = format!("/v1/carts/{}", cart["id"].as_str().expect("an id"));

    // She logs in, and the cart becomes hers; nobody else sees it any more.
    ada.client
        .post(format!("{path}/claim"), json!({}))
        .await
        .ok();
    shop.client()
        .get(&path)
        .await
        .problem(404, "cart.not_found");
    let line = json!({"variant_id": mug.variant_id, "quantity": 1});
    let cart = ada.client.post(format!("{path}/lines"), line).await.ok();
    assert_eq!(cart["lines"][0]["quantity"], 2);
    let details = json!({
        "shipping_address": {
            "name": "Ada Lovelace", "line1": "Street 1", "city": "Venice", "country": "IT",
        },
        "shipping_option": "standard",
        "payment": {"provider": "test", "token": "tok_ok"},
    });
    let cart = ada.client.patch(&path, details).await.ok();
    let order = json!({"cart_id": cart["id"], "expected_total": cart["totals"]["total"]});
    let order = ada
        .client
        .post("/v1/orders", order)
        .key("the-order-of-ada")
        .await
        .expect(201);
    assert_eq!(
        order["totals"], cart["totals"],
        "what she saw is what she pays"
    );
    shop.settle().await;

    // The warehouse packs and ships; she is told at every step.
    let warehouse = shop.staff(StaffRole::Warehouse).await;
    pack_and_ship(&warehouse, &order).await;
    shop.settle().await;
    let mine = ada.client.get("/v1/orders").await.ok();
    assert_eq!(mine["items"][0]["state"], "shipped");
    let stock = warehouse
        .get(format!("/v1/inventory/{}", mug.variant_id))
        .await
        .ok();
    assert_eq!(stock["available"], 8);
}

async fn look_around(shop: &TestShop) {
    shop.settle().await;
    for way in ["products?limit=5&currency=EUR&sort=price", "search?q=blu"] {
        let found = shop.client().get(format!("/v1/{way}")).await.ok();
        assert_eq!(found["items"][0]["slug"], "blue-mug", "{way}");
    }
}

async fn pack_and_ship(warehouse: &Client, order: &Value) {
    let path = format!("/v1/orders/{}", order["id"].as_str().expect("an id"));
    let fulfilled = warehouse.post(format!("{path}/fulfil"), json!({}));
    fulfilled.await.ok();
    let shipped = warehouse.post(format!("{path}/ship"), json!({"carrier": "Gondola"}));
    shipped.await.ok();
}
