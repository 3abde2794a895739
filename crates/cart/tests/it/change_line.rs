//! `PATCH` and `DELETE /v1/carts/{id}/lines/{line_id}`.

use serde_json::{Value, json};
use testkit::{TestShop, eur};

use crate::goods::{cart, line, mug, path, plenty, quantities, text};

fn line_path(cart: &Value, index: usize) -> String {
    format!("{}/lines/{}", path(cart), text(&cart["lines"][index]["id"]))
}

#[tokio::test]
async fn a_line_gets_another_quantity() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 1)]).await;
    let set = |quantity: i64| {
        let body = json!({"quantity": quantity});
        shop.client().patch(line_path(&cart, 0), body)
    };
    let answer = set(7).await;
    assert!(answer.etag().starts_with("\"2-"));
    let changed = answer.expect(200);
    assert_eq!(changed["totals"]["total"], json!(eur(70_00)));
    set(0).await.problem(422, "request.invalid");
    set(10_001).await.problem(422, "request.invalid");
    let stale = set(8).if_match("\"1\"").await;
    stale.problem(412, "request.stale");
}

#[tokio::test]
async fn a_line_is_taken_out() {
    let shop = TestShop::start().await;
    let (mug, bowl) = (mug(&shop).await, plenty(&shop, "bowl", eur(7_50)).await);
    let lines = [line(&mug.variant_id, 1), line(&bowl.variant_id, 1)];
    let cart = cart(shop.client(), &lines).await;
    let stale = shop.client().delete(line_path(&cart, 0)).if_match("\"9\"");
    stale.await.problem(412, "request.stale");
    let answer = shop.client().delete(line_path(&cart, 0)).await;
    assert!(answer.etag().starts_with("\"2-"));
    assert_eq!(quantities(&answer.expect(200)), [(bowl.variant_id, 1)]);
    let again = shop.client().delete(line_path(&cart, 0)).await;
    again.problem(404, "cart.not_found");
    let gone = json!({"quantity": 1});
    let gone = shop.client().patch(line_path(&cart, 0), gone).await;
    gone.problem(404, "cart.not_found");
}
