//! `GET /v1/customers` and `GET /v1/customers/{id}`.

use kernel::StaffRole;
use serde_json::json;
use testkit::TestShop;

use crate::people::{customer, register};

#[tokio::test]
async fn the_staff_looks_through_the_customers() {
    let shop = TestShop::start().await;
    let mut all = Vec::new();
    for name in ["ada", "bob", "carl", "dora", "emil"] {
        shop.clock.advance(std::time::Duration::from_millis(1));
        all.insert(0, register(&shop, name).await);
    }
    let support = shop.staff(StaffRole::Support).await;
    let first = support.get("/v1/customers?limit=3").await.expect(200);
    assert_eq!(first["items"], json!(all[..3]), "the newest first");
    let cursor = first["next_cursor"].as_str().expect("there are more");
    let next = format!("/v1/customers?limit=3&cursor={cursor}");
    let second = support.get(&next).await.expect(200);
    assert_eq!(second, json!({"items": all[3..], "next_cursor": null}));
    let found = support
        .get("/v1/customers?email=Carl@example.com")
        .await
        .expect(200);
    assert_eq!(found, json!({"items": [all[2]], "next_cursor": null}));
    let nobody = support
        .get("/v1/customers?email=zoe@example.com")
        .await
        .expect(200);
    assert_eq!(nobody["items"], json!([]));
    let foreign = format!("/v1/customers?email=ada@example.com&cursor={cursor}");
    support
        .get(&foreign)
        .await
        .problem(400, "request.bad_cursor");
    let wrong = support
        .get("/v1/customers?email=nobody")
        .await
        .problem(422, "request.invalid");
    assert_eq!(wrong["errors"][0]["pointer"], "email");
}

#[tokio::test]
async fn the_staff_looks_at_one_customer() {
    let shop = TestShop::start().await;
    let profile = register(&shop, "ada").await;
    let support = shop.staff(StaffRole::Support).await;
    let path = format!("/v1/customers/{}", profile["id"].as_str().expect("an id"));
    let shown = support.get(&path).await;
    shown.etag();
    assert_eq!(shown.expect(200), profile);
    let nobody: kernel::CustomerId = shop.sources().id();
    support
        .get(format!("/v1/customers/{nobody}"))
        .await
        .problem(404, "user.not_found");
}

#[tokio::test]
async fn nobody_else_may() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    ada.get("/v1/customers")
        .await
        .problem(403, "auth.forbidden");
    shop.client()
        .get("/v1/customers")
        .await
        .problem(401, "auth.required");
    let warehouse = shop.staff(StaffRole::Warehouse).await;
    warehouse
        .get("/v1/customers")
        .await
        .problem(403, "auth.forbidden");
}
