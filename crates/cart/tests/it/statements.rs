//! How many statements answers cost: promises, and the same however much is in the cart.

use serde_json::{Value, json};
use testkit::TestShop;

use crate::goods::{cart, line, path, text, variants};

const GET: &str =
    "rialto_http_statements_total{role=\"cart\",route=\"/v1/carts/{id}\",method=\"GET\"";
const ADD: &str =
    "rialto_http_statements_total{role=\"cart\",route=\"/v1/carts/{id}/lines\",method=\"POST\"";

async fn cost_of_reading(shop: &TestShop, cart: &Value) -> u64 {
    let before = shop.metric(GET).await;
    shop.client().get(path(cart)).await.expect(200);
    shop.metric(GET).await - before
}

async fn cost_of_adding(shop: &TestShop, cart: &Value, variant_id: &str) -> u64 {
    let before = shop.metric(ADD).await;
    let lines = format!("{}/lines", path(cart));
    let added = shop.client().post(lines, line(variant_id, 1)).await;
    added.expect(200);
    shop.metric(ADD).await - before
}

#[tokio::test]
async fn two_hundred_lines_cost_no_more_statements_than_one() {
    let shop = TestShop::builder().calm_bus().start().await;
    let ids = variants(&shop, 200).await;
    let lines: Vec<Value> = ids.iter().map(|id| line(id, 1)).collect();
    let small = cart(shop.client(), &lines[..1]).await;
    let large = cart(shop.client(), &lines).await;
    let read = cost_of_reading(&shop, &small).await;
    assert!((1..=3).contains(&read), "reading costs {read}");
    assert_eq!(cost_of_reading(&shop, &large).await, read);
    let add = cost_of_adding(&shop, &small, &ids[0]).await;
    assert!((1..=5).contains(&add), "adding costs {add}");
    assert_eq!(cost_of_adding(&shop, &large, &ids[0]).await, add);
}

#[tokio::test]
async fn promotions_cost_one_statement_however_many() {
    let shop = TestShop::builder().calm_bus().start().await;
    let admin = shop.admin().await;
    let ids = variants(&shop, 1).await;
    let mut codes = Vec::new();
    for number in 0..10 {
        let body = json!({"code": format!("CODE-{number}"), "rate": 10_000});
        let promotion = admin.post("/v1/promotions", body).await.expect(201);
        codes.push(text(&promotion["code"]));
    }
    let cart = cart(shop.client(), &[line(&ids[0], 1)]).await;
    let bare = cost_of_reading(&shop, &cart).await;
    let body = json!({"promotion_codes": codes});
    shop.client().patch(path(&cart), body).await.expect(200);
    let with_codes = cost_of_reading(&shop, &cart).await;
    assert_eq!(with_codes, bare + 1);
    assert!(with_codes <= 3, "reading costs {with_codes}");
}
