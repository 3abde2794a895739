//! Variants whose stock is reserved as soon as they are in a cart.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::{Product, TestShop, eur};

use crate::goods::{cart, line, missing, mug, path, quantities, text};

/// Tickets that are reserved on cart.
async fn tickets(shop: &TestShop, stock: i64) -> Product {
    let tickets = shop.product("ticket").price(eur(50_00)).stock(stock);
    tickets.inventory("reserve_on_cart").create().await
}

/// How many are reserved, by whomever.
async fn reserved(shop: &TestShop, product: &Product) -> i64 {
    let admin = shop.admin().await;
    let stock = admin.get(format!("/v1/inventory/{}", product.variant_id));
    stock.await.expect(200)["reserved"]
        .as_i64()
        .expect("a number")
}

#[tokio::test]
async fn what_is_in_one_cart_is_not_to_be_had_in_another() {
    let shop = TestShop::start().await;
    let tickets = tickets(&shop, 3).await;
    let first = cart(shop.client(), &[line(&tickets.variant_id, 2)]).await;
    assert!(!missing(&first).contains(&String::from("stock")));
    assert_eq!(reserved(&shop, &tickets).await, 2);
    let body = json!({"currency": "EUR", "lines": [line(&tickets.variant_id, 2)]});
    let refused = shop.client().post("/v1/carts", &body).await;
    let problem = refused.problem(409, "product.out_of_stock");
    let shortage = &problem["context"]["lines"][0];
    assert_eq!(shortage["variant_id"], tickets.variant_id.as_str());
    assert_eq!(
        (&shortage["wanted"], &shortage["left"]),
        (&json!(2), &json!(1))
    );
    let second = cart(shop.client(), &[]).await;
    let lines = format!("{}/lines", path(&second));
    let add = |quantity| {
        shop.client()
            .post(&lines, line(&tickets.variant_id, quantity))
    };
    add(2).await.problem(409, "product.out_of_stock");
    add(1).await.expect(200);
    add(1).await.problem(409, "product.out_of_stock");
    assert_eq!(reserved(&shop, &tickets).await, 3);
    let read = shop.client().get(path(&first)).await.expect(200);
    assert!(!missing(&read).contains(&String::from("stock")));
}

#[tokio::test]
async fn what_goes_out_of_a_cart_is_let_go() {
    let shop = TestShop::start().await;
    let (tickets, mug) = (tickets(&shop, 3).await, mug(&shop).await);
    let lines = [line(&tickets.variant_id, 3), line(&mug.variant_id, 1)];
    let full = cart(shop.client(), &lines).await;
    let ticket_line = format!("{}/lines/{}", path(&full), text(&full["lines"][0]["id"]));
    let set = |quantity: i64| {
        let body = json!({"quantity": quantity});
        shop.client().patch(&ticket_line, body)
    };
    set(1).await.expect(200);
    assert_eq!(reserved(&shop, &tickets).await, 1);
    set(4).await.problem(409, "product.out_of_stock");
    assert_eq!(reserved(&shop, &tickets).await, 1);
    set(2).await.expect(200);
    assert_eq!(reserved(&shop, &tickets).await, 2);
    shop.client().delete(&ticket_line).await.expect(200);
    assert_eq!(reserved(&shop, &tickets).await, 0);
}

#[tokio::test]
async fn a_change_that_fails_leaves_what_is_reserved_as_it_was() {
    let shop = TestShop::start().await;
    let tickets = tickets(&shop, 5).await;
    let full = cart(shop.client(), &[line(&tickets.variant_id, 1)]).await;
    let lines = format!("{}/lines", path(&full));
    let add = || shop.client().post(&lines, line(&tickets.variant_id, 2));
    add().if_match("\"7\"").await.problem(412, "request.stale");
    assert_eq!(reserved(&shop, &tickets).await, 1);
    let key = "0198-two-more-tickets";
    add().key(key).await.expect(200);
    add().key(key).await.expect(200);
    assert_eq!(reserved(&shop, &tickets).await, 3);
    let body = json!({
        "currency": "EUR",
        "lines": [line(&tickets.variant_id, 1)],
        "shipping_option": "pigeon",
    });
    let refused = shop.client().post("/v1/carts", body).await;
    refused.problem(422, "cart.bad_shipping_option");
    assert_eq!(reserved(&shop, &tickets).await, 3);
}

#[tokio::test]
async fn it_lapses() {
    let shop = TestShop::start().await;
    let tickets = tickets(&shop, 1).await;
    let first = cart(shop.client(), &[line(&tickets.variant_id, 1)]).await;
    shop.clock.advance(Duration::from_secs(30 * 60));
    shop.settle().await;
    cart(shop.client(), &[line(&tickets.variant_id, 1)]).await;
    let read = || async { shop.client().get(path(&first)).await.expect(200) };
    assert_eq!(missing(&read().await)[0], "stock");
    // Other details can still be changed, and the line can go.
    let body = json!({"email": "ada@example.com"});
    shop.client().patch(path(&first), body).await.expect(200);
    let line = format!("{}/lines/{}", path(&first), text(&first["lines"][0]["id"]));
    shop.client().delete(line).await.expect(200);
    assert_eq!(reserved(&shop, &tickets).await, 1);
}

#[tokio::test]
async fn the_order_takes_over_what_its_cart_holds() {
    let shop = TestShop::start().await;
    let tickets = tickets(&shop, 2).await;
    let buyer = shop.guest("ada@example.com");
    let id = buyer.cart_with(&tickets, 2).await;
    buyer
        .places(&id, "an order of both tickets")
        .await
        .expect(201);
    shop.settle().await;
    let admin = shop.admin().await;
    let stock = admin.get(format!("/v1/inventory/{}", tickets.variant_id));
    let stock = stock.await.expect(200);
    assert_eq!(
        (&stock["on_hand"], &stock["reserved"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn a_merged_cart_takes_over_what_the_guests_held() {
    let shop = TestShop::start().await;
    let tickets = tickets(&shop, 3).await;
    let ada = shop.customer("ada").await;
    cart(&ada.client, &[line(&tickets.variant_id, 1)]).await;
    let guests = cart(shop.client(), &[line(&tickets.variant_id, 2)]).await;
    let claim = format!("{}/claim", path(&guests));
    let merged = ada.client.post(claim, json!({})).await.expect(200);
    assert_eq!(quantities(&merged), [(tickets.variant_id.clone(), 3)]);
    assert!(!missing(&merged).contains(&String::from("stock")));
    assert_eq!(reserved(&shop, &tickets).await, 3);
}

/// The guest's reservation has lapsed and somebody else was faster: the log-in goes on.
#[tokio::test]
async fn a_claim_does_not_fail_for_want_of_stock() {
    let shop = TestShop::start().await;
    let tickets = tickets(&shop, 1).await;
    let guests = cart(shop.client(), &[line(&tickets.variant_id, 1)]).await;
    shop.clock.advance(Duration::from_secs(30 * 60));
    shop.settle().await;
    cart(shop.client(), &[line(&tickets.variant_id, 1)]).await;
    let (ada, mug) = (shop.customer("ada").await, mug(&shop).await);
    cart(&ada.client, &[line(&mug.variant_id, 1)]).await;
    let claim = format!("{}/claim", path(&guests));
    let merged = ada.client.post(claim, json!({})).await.expect(200);
    assert_eq!(quantities(&merged).len(), 2);
    assert_eq!(missing(&merged)[0], "stock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_as_there_are_get_into_the_cart_and_are_reserved() {
    let shop = TestShop::start().await;
    let tickets = tickets(&shop, 6).await;
    let cart = cart(shop.client(), &[]).await;
    let lines = format!("{}/lines", path(&cart));
    let add = |_| {
        let request = shop.client().post(&lines, line(&tickets.variant_id, 1));
        request.into_future()
    };
    let mut added = 0;
    for answer in join_all((0..10).map(add)).await {
        if answer.status == 409 {
            answer.problem(409, "product.out_of_stock");
        } else {
            answer.expect(200);
            added += 1;
        }
    }
    let read: Value = shop.client().get(path(&cart)).await.expect(200);
    assert_eq!(quantities(&read), [(tickets.variant_id.clone(), added)]);
    assert_eq!(added, 6);
    assert_eq!(reserved(&shop, &tickets).await, 6);
}
