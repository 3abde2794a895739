//! `POST /v1/products/{id}/archive`.

use serde_json::json;
use testkit::TestShop;

use crate::update_product::created;

#[tokio::test]
async fn an_archived_product_leaves_the_shop_until_it_is_restored() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (path, before) = created(&admin).await;
    let archive = format!("{path}/archive");
    let blind = admin.post(&archive, json!({})).await;
    blind.problem(428, "request.if_match_required");
    let archived = admin
        .post(&archive, json!({}))
        .if_match(before.etag())
        .await;
    let etag = archived.etag();
    assert_eq!(archived.expect(200)["status"], "archived");

    let hidden = shop.client().get(&path).await;
    hidden.problem(404, "product.not_found");
    let listed = shop.client().get("/v1/products").await.expect(200);
    assert_eq!(listed["items"], json!([]));
    let again = admin.post(&archive, json!({})).if_match(&etag).await;
    again.problem(409, "product.archived");
    let change = admin.patch(&path, json!({"title": "New"})).if_match(&etag);
    change.await.problem(409, "product.archived");

    let restored = admin
        .patch(&path, json!({"status": "active"}))
        .if_match(&etag);
    assert_eq!(restored.await.expect(200)["version"], 3);
    shop.client().get(&path).await.expect(200);
    let listed = shop.client().get("/v1/products").await.expect(200);
    assert_eq!(listed["items"][0]["slug"], "shirt");
}

#[tokio::test]
async fn the_same_key_archives_once() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let (path, before) = created(&admin).await;
    let archive = || {
        let request = admin.post(format!("{path}/archive"), json!({}));
        request.if_match(before.etag()).key("archive").into_future()
    };
    let first = archive().await;
    let again = archive().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, &first.bytes), (again.status, &again.bytes));
}
