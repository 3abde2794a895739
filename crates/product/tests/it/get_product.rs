//! `GET /v1/products/{id}` and `GET /v1/products/by-slug/{slug}`.

use serde_json::json;
use testkit::TestShop;

use crate::create_product::shirt;

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let created = admin.post("/v1/products", shirt()).await.expect(201);
    let tag = format!("product-{}", created["id"].as_str().expect("an id"));
    for path in ["/v1/products/by-slug/shirt"] {
        let first = shop.client().get(path).await;
        let etag = first.etag();
        let cached = shop.client().get(path).header("if-none-match", &etag);
        let cached = cached.await;
        assert_eq!(cached.status, 304);
        assert!(cached.bytes.is_empty());
        assert_eq!(cached.etag(), etag);
        // A cache in front that keeps it can purge it by what events name.
        for answer in [&first, &cached] {
            assert_eq!(answer.header("surrogate-key"), Some(&*tag));
        }
        let other = shop.client().get(path).header("if-none-match", "\"0\"");
        other.await.expect(200);
    }
}

#[tokio::test]
async fn drafts_are_seen_by_staff_only() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let mut draft = shirt();
    draft["status"] = json!("draft");
    let created = admin.post("/v1/products", draft).await.expect(201);
    let path = format!("/v1/products/{}", created["id"].as_str().expect("an id"));
    for path in [&*path, "/v1/products/by-slug/shirt"] {
        let hidden = shop.client().get(path).await;
        hidden.problem(404, "product.not_found");
        let shown = admin.get(path).await;
        assert_eq!(shown.header("cache-control"), Some("no-store"));
        assert_eq!(shown.header("surrogate-key"), None);
        assert_eq!(shown.expect(200)["status"], "draft");
    }
}

#[tokio::test]
async fn what_cannot_be_there_is_not_found() {
    let shop = TestShop::start().await;
    let get = |path: &str| shop.client().get(path);
    let unknown = get("/v1/products/prod_00000000000000000000000000").await;
    unknown.problem(404, "product.not_found");
    let nothing = get("/v1/products/by-slug/nothing").await;
    nothing.problem(404, "product.not_found");
    let odd = get("/v1/products/by-slug/%00%ff").await;
    assert_eq!(odd.status, 404);
    let malformed = get("/v1/products/mug").await;
    malformed.problem(404, "request.no_route");
}

/// The promise of speed: the document and the stock, and nothing else.
#[tokio::test]
async fn a_product_costs_two_statements() {
    let shop = TestShop::builder().calm_bus().start().await;
    let admin = shop.admin().await;
    let created = admin.post("/v1/products", shirt()).await.expect(201);
    let metric = "rialto_http_statements_total{role=\"product\",route=\"/v1/products/{id}\"";
    let before = shop.metric(metric).await;
    let id = created["id"].as_str().expect("an id");
    shop.client().get(format!("/v1/products/{id}")).await.ok();
    assert_eq!(shop.metric(metric).await - before, 2);
}
