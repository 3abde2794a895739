//! `POST /v1/orders/{id}/fulfil` and `/ship`.

use futures_util::future::join_all;
use kernel::StaffRole;
use serde_json::json;
use testkit::TestShop;

use crate::book;

#[tokio::test]
async fn an_order_is_packed_shipped_and_paid() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(5).create().await;
    let ada = shop.customer("ada").await;
    let order = ada.buys(&mug, 1).await.expect(201);
    let path = format!("/v1/orders/{}", order["id"].as_str().expect("an id"));
    let warehouse = shop.staff(StaffRole::Warehouse).await;
    let early = warehouse.post(format!("{path}/ship"), json!({})).await;
    early.problem(409, "order.invalid_transition");
    assert_eq!(
        book(&shop, &order).await,
        ["authorised"],
        "what is not shipped is not taken"
    );
    let packed = warehouse
        .post(format!("{path}/fulfil"), json!({}))
        .await
        .ok();
    assert_eq!(packed["state"], "fulfilled");
    let late = ada.client.post(format!("{path}/cancel"), json!({})).await;
    late.problem(409, "order.invalid_transition");
    let parcel = json!({"carrier": "Post", "tracking_number": "RR1"});
    let ship = || {
        let ship = warehouse.post(format!("{path}/ship"), parcel.clone());
        ship.key("s").into_future()
    };
    let mut answers = join_all((0..4).map(|_| ship())).await;
    answers.push(ship().await);
    for answer in &answers {
        assert_eq!((answer.status, &answer.bytes), (200, &answers[0].bytes));
    }
    let shipped = answers.remove(0).ok();
    assert_eq!(shipped["state"], "shipped");
    assert_eq!(shipped["payment"]["state"], "captured");
    assert_eq!(shipped["fulfilment"]["tracking_number"], "RR1");
    let entries = order::read_book(shop.db(rialto::Role::Order), None)
        .await
        .expect("the book");
    assert_eq!(
        entries[0].captured, entries[0].amount,
        "taken once, and all of it"
    );
    let seen = ada.client.get(&path).await.ok();
    assert_eq!(seen, shipped);
}

#[tokio::test]
async fn customers_do_not_pack() {
    let shop = TestShop::start().await;
    let mug = shop.product("mug").stock(5).create().await;
    let ada = shop.customer("ada").await;
    let order = ada.buys(&mug, 1).await.expect(201);
    let path = format!("/v1/orders/{}/fulfil", order["id"].as_str().expect("an id"));
    ada.client
        .post(&path, json!({}))
        .await
        .problem(403, "auth.forbidden");
    shop.client()
        .post(&path, json!({}))
        .await
        .problem(401, "auth.required");
}
