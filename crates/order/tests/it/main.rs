//! The order service over HTTP, one file for each operation.

mod cancel_order;
mod fulfil_and_ship;
mod list_orders;
mod look_up_order;
mod place_order;
mod receive_payment_webhook;

use rialto::Role;
use serde_json::Value;
use testkit::TestShop;

/// The states of the test provider's book about one order.
async fn book(shop: &TestShop, order: &Value) -> Vec<String> {
    let id = order["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an order id");
    let entries = order::read_book(shop.db(Role::Order), Some(id))
        .await
        .expect("the book");
    entries.into_iter().map(|entry| entry.state).collect()
}

/// How many of a product can be bought.
async fn available(shop: &TestShop, product: &testkit::Product) -> i64 {
    let admin = shop.admin().await;
    let stock = admin
        .get(format!("/v1/inventory/{}", product.variant_id))
        .await
        .ok();
    stock["available"].as_i64().expect("how many can be bought")
}
