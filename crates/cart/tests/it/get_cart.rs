//! `GET /v1/carts/{id}`.

use serde_json::{Value, json};
use testkit::{TestShop, eur};

use crate::goods::{cart, line, missing, mug, path, text};

#[tokio::test]
async fn a_cart_that_is_not_there_is_a_problem() {
    let shop = TestShop::start().await;
    let unknown = "/v1/carts/cart_01k3v7m0s2ev3bq1w1m2r8x5zc";
    let answer = shop.client().get(unknown).await;
    answer.problem(404, "cart.not_found");
    let nonsense = shop.client().get("/v1/carts/nonsense").await;
    nonsense.problem(404, "request.no_route");
}

#[tokio::test]
async fn a_cart_costs_what_its_goods_cost_now() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 3)]).await;
    let before = shop.client().get(path(&cart)).await;
    let admin = shop.admin().await;
    let product = format!("/v1/products/{}", mug.id);
    let variant = &mug.view["variants"][0];
    let body = json!({"variants": [{
        "id": variant["id"],
        "sku": variant["sku"],
        "prices": [eur(12_00)],
        "inventory": "none",
    }]});
    let etag = admin.get(&product).await.etag();
    admin.patch(&product, body).if_match(etag).await.ok();
    let after = shop.client().get(path(&cart)).await;
    // The same version, but not the same answer.
    assert_ne!(before.etag(), after.etag());
    let after = after.expect(200);
    assert_eq!(after["version"], 1);
    assert_eq!(after["totals"]["total"], json!(eur(36_00)));
}

#[tokio::test]
async fn what_goes_off_sale_is_told() {
    let shop = TestShop::start().await;
    let mug = mug(&shop).await;
    let cart = cart(shop.client(), &[line(&mug.variant_id, 3)]).await;
    let admin = shop.admin().await;
    let archive = format!("/v1/products/{}/archive", mug.id);
    let etag = admin.get(format!("/v1/products/{}", mug.id)).await.etag();
    admin.post(archive, json!({})).if_match(etag).await.ok();
    let read = shop.client().get(path(&cart)).await.expect(200);
    let requirement = &read["requirements"][0];
    assert_eq!(requirement["kind"], "purchasable");
    assert_eq!(requirement["line_id"], read["lines"][0]["id"]);
    assert_eq!(read["lines"][0]["title"], "mug");
    let add = format!("{}/lines", path(&cart));
    let more = shop.client().post(add, line(&mug.variant_id, 1)).await;
    more.problem(422, "cart.not_purchasable");
    let removed = format!("{}/lines/{}", path(&cart), text(&requirement["line_id"]));
    let rest = shop.client().delete(removed).await.expect(200);
    assert_eq!(missing(&rest), ["lines", "email", "payment"]);
    assert_eq!(rest["lines"], Value::Array(Vec::new()));
}
