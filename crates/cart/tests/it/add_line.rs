//! `POST /v1/carts/{id}/lines`.

use serde_json::json;
use testkit::{TestShop, eur, jpy};

use crate::goods::{cart, line, mug, path, plenty, quantities};

#[tokio::test]
async fn a_line_is_added_and_grows() {
    let shop = TestShop::start().await;
    let (mug, bowl) = (mug(&shop).await, plenty(&shop, "bowl", eur(7_50)).await);
    let cart = cart(shop.client(), &[line(&mug.variant_id, 1)]).await;
    let lines = format!("{}/lines", path(&cart));
    let add = |variant: &str, quantity| shop.client().post(&lines, line(variant, quantity));
    let answer = add(&bowl.variant_id, 2).await;
    assert!(answer.etag().starts_with("\"2-"));
    let two = answer.expect(200);
    assert_eq!(two["totals"]["total"], json!(eur(25_00)));
    let three = add(&mug.variant_id, 4).await.expect(200);
    let expected = [(mug.variant_id, 5), (bowl.variant_id, 2)];
    assert_eq!(quantities(&three), expected);
    assert_eq!(three["version"], 3);
    assert_eq!(three["lines"][0]["id"], cart["lines"][0]["id"]);
}

#[tokio::test]
async fn what_cannot_be_bought_is_refused() {
    let shop = TestShop::start().await;
    let fan = plenty(&shop, "fan", jpy(500)).await;
    let cart = cart(shop.client(), &[]).await;
    let lines = format!("{}/lines", path(&cart));
    let add = |variant: &str, quantity| shop.client().post(&lines, line(variant, quantity));
    let unknown = add("var_01k3v7m0s2ev3bq1w1m2r8x5zc", 1).await;
    let problem = unknown.problem(422, "cart.not_purchasable");
    assert_eq!(problem["errors"][0]["pointer"], "/variant_id");
    let problem = add(&fan.variant_id, 1).await.problem(422, "cart.no_price");
    assert_eq!(problem["errors"][0]["pointer"], "/variant_id");
    for quantity in [0, -1, 10_001, i64::MAX] {
        let refused = add(&fan.variant_id, quantity).await;
        let problem = refused.problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/quantity");
    }
    let unchanged = shop.client().get(path(&cart)).await.expect(200);
    assert_eq!(unchanged, cart);
}

#[tokio::test]
async fn a_line_has_ten_thousand_pieces_at_the_most() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 9_999)]).await;
    let lines = format!("{}/lines", path(&cart));
    let add = |quantity| shop.client().post(&lines, line(&mug.variant_id, quantity));
    add(2).await.problem(422, "cart.limit");
    let full = add(1).await.expect(200);
    assert_eq!(full["lines"][0]["quantity"], 10_000);
}

#[tokio::test]
async fn a_repeated_request_adds_once() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[]).await;
    let lines = format!("{}/lines", path(&cart));
    let key = "0198-one-more-mug-please";
    let add = |quantity| {
        let request = shop.client().post(&lines, line(&mug.variant_id, quantity));
        request.key(key)
    };
    let first = add(1).await;
    let again = add(1).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, &first.bytes), (again.status, &again.bytes));
    for header in ["etag", "location"] {
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    add(2).await.problem(422, "idempotency.key_reused");
    let read = shop.client().get(path(&cart)).await.expect(200);
    assert_eq!(quantities(&read), [(mug.variant_id, 1)]);
}

#[tokio::test]
async fn a_version_that_is_gone_is_not_changed() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[]).await;
    let lines = format!("{}/lines", path(&cart));
    let add = || shop.client().post(&lines, line(&mug.variant_id, 1));
    let seen = shop.client().get(path(&cart)).await.etag();
    add().if_match(&seen).await.expect(200);
    let stale = add().if_match(&seen).await;
    let problem = stale.problem(412, "request.stale");
    assert_eq!(problem["context"]["version"], 2);
    add().await.expect(200);
    add().if_match("*").await.expect(200);
    let read = shop.client().get(path(&cart)).await.expect(200);
    assert_eq!(quantities(&read), [(mug.variant_id, 3)]);
}

#[tokio::test]
async fn a_shortage_is_told_and_not_refused() {
    let shop = TestShop::start().await;
    let rare = shop.product("rare").price(eur(10_00)).create().await;
    let cart = cart(shop.client(), &[line(&rare.variant_id, 2)]).await;
    let requirement = &cart["requirements"][0];
    assert_eq!(requirement["kind"], "stock");
    assert_eq!(requirement["line_id"], cart["lines"][0]["id"]);
}
