//! 400 buyers for 100 pieces.

use serde_json::json;
use testkit::{TestShop, eur};

#[tokio::test(flavor = "multi_thread")]
async fn four_hundred_buyers_for_a_hundred_pieces() {
    let shop = TestShop::builder().real_clock().start().await;
    let mug = shop
        .product("mug")
        .price(eur(10_00))
        .stock(100)
        .create()
        .await;
    let mut buyers = Vec::new();
    for number in 0..400 {
        let buyer = shop.guest(&format!("buyer-{number}@example.com"));
        let cart = buyer.cart_with(&mug, 1).await;
        buyers.push((buyer, cart));
    }
    let orders = buyers.iter().map(async |(buyer, cart)| {
        let key = format!("order-{cart}");
        buyer.places(cart, &key).await
    });
    let answers = futures_util::future::join_all(orders).await;
    let (mut bought, mut refused) = (0, 0);
    for answer in answers {
        match answer.status {
            201 => bought += 1,
            409 => {
                let problem = answer.problem(409, "order.out_of_stock");
                assert_eq!(problem["context"]["lines"][0]["left"], 0);
                refused += 1;
            }
            other => panic!("{other}: {}", answer.body),
        }
    }
    assert_eq!((bought, refused), (100, 300));
    shop.settle().await;
    let admin = shop.admin().await;
    let stock = admin
        .get(format!("/v1/inventory/{}", mug.variant_id))
        .await
        .ok();
    assert_eq!(stock["available"], 0);
    let book = order::read_book(shop.db(rialto::Role::Order), None)
        .await
        .expect("the book");
    let charged = book
        .iter()
        .filter(|entry| entry.state == "authorised")
        .count();
    assert_eq!(
        (book.len(), charged),
        (100, 100),
        "who did not buy was not even asked for money"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_additions_to_one_cart() {
    let shop = TestShop::builder().real_clock().start().await;
    let mug = shop.product("mug").stock(100).create().await;
    let cart = shop
        .client()
        .post("/v1/carts", json!({"currency": "EUR"}))
        .await
        .expect(201);
    let path = format!("/v1/carts/{}/lines", cart["id"].as_str().expect("an id"));
    let line = json!({"variant_id": mug.variant_id, "quantity": 1});
    let additions = (0..20).map(|_| async { shop.client().post(&path, &line).await.ok() });
    futures_util::future::join_all(additions).await;
    let path = format!("/v1/carts/{}", cart["id"].as_str().expect("an id"));
    let cart = shop.client().get(path).await.ok();
    assert_eq!(cart["lines"][0]["quantity"], 20);
}
