//! `POST /v1/products`.

use kernel::StaffRole;
use serde_json::{Value, json};
use testkit::TestShop;

pub(crate) fn shirt() -> Value {
    json!({
        "slug": "shirt",
        "title": "Linen shirt",
        "description": "Woven on the mainland.\nWashed twice.",
        "vendor": "Filatura",
        "status": "active",
        "tags": ["linen", "summer"],
        "images": [{"url": "images/shirt.jpg", "alt": "A white shirt"}],
        "options": [
            {"name": "Size", "values": ["S", "M"]},
            {"name": "Colour", "values": ["White", "Blue"]},
        ],
        "variants": [
            {
                "sku": "SHIRT-S-WHITE",
                "options": {"Colour": "White", "Size": "S"},
                "prices": [
                    {"amount": 5900, "currency": "EUR", "compare_at": 6900},
                    {"amount": 9800, "currency": "JPY"},
                ],
                "weight_grams": 210,
                "barcode": "8001234567890",
            },
            {
                "sku": "SHIRT-M-BLUE",
                "options": {"Size": "M", "Colour": "Blue"},
                "prices": [{"amount": 6400, "currency": "EUR"}],
                "inventory": "track",
            },
        ],
    })
}

#[tokio::test]
async fn a_product_is_created_and_shown() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let answer = admin.post("/v1/products", shirt()).await;
    let (location, etag) = (
        answer.header("location").map(ToOwned::to_owned),
        answer.etag(),
    );
    let created = answer.expect(201);
    let id = created["id"].as_str().expect("an id");
    assert_eq!(location.as_deref(), Some(&*format!("/v1/products/{id}")));
    assert_eq!(created["variants"][0]["title"], "S / White");
    assert_eq!(created["variants"][0]["available"], 0);
    assert_eq!(created["variants"][1]["available"], Value::Null);
    assert_eq!(created["in_stock"], true, "one variant is only tracked");
    assert_eq!(created["created_at"], "2026-01-01T12:00:00Z");

    let shown = shop.client().get(format!("/v1/products/{id}")).await;
    assert_eq!(shown.etag(), etag);
    assert_eq!(shown.expect(200), created, "reading shows what was created");
    let by_slug = shop.client().get("/v1/products/by-slug/shirt").await;
    assert_eq!(by_slug.expect(200), created);
}

#[tokio::test]
async fn slugs_and_skus_are_taken_once() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    admin.post("/v1/products", shirt()).await.expect(201);
    let mut other = shirt();
    other["variants"][0]["sku"] = json!("OTHER-1");
    other["variants"][1]["sku"] = json!("OTHER-2");
    let again = admin.post("/v1/products", other).await;
    again.problem(409, "product.slug_taken");
    let mut other = shirt();
    other["slug"] = json!("other");
    other["variants"][0]["sku"] = json!("OTHER-1");
    let problem = admin.post("/v1/products", other).await;
    let problem = problem.problem(409, "product.sku_taken");
    assert!(
        problem["detail"]
            .as_str()
            .expect("text")
            .contains("SHIRT-M-BLUE")
    );
}

#[tokio::test]
async fn the_same_key_creates_one_product() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let first = admin.post("/v1/products", shirt()).key("a").await;
    let again = admin.post("/v1/products", shirt()).key("a").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, &first.bytes), (again.status, &again.bytes));
    let mut other = shirt();
    other["title"] = json!("Another shirt");
    let other = admin.post("/v1/products", other).key("a").await;
    other.problem(422, "idempotency.key_reused");
}

#[tokio::test]
async fn every_broken_rule_is_pointed_at() {
    let shop = TestShop::start().await;
    let admin = shop.admin().await;
    let pointers = async |change: fn(&mut Value)| {
        let mut body = shirt();
        change(&mut body);
        let problem = admin.post("/v1/products", body).await;
        let problem = problem.problem(422, "request.invalid");
        let errors = problem["errors"].as_array().expect("a list").clone();
        let pointer = |error: &Value| error["pointer"].as_str().map(ToOwned::to_owned);
        errors.iter().filter_map(pointer).collect::<Vec<_>>()
    };
    let wrong = pointers(|body| {
        body["slug"] = json!("Not A Slug");
        body["title"] = json!(" ");
        body["variants"][1]["options"]["Size"] = json!("XXL");
        body["variants"][0]["prices"][0]["amount"] = json!(-1);
    });
    let expected = [
        "/slug",
        "/title",
        "/variants/0/prices/0/amount",
        "/variants/1/options",
    ];
    assert_eq!(wrong.await, expected);
    let wrong = pointers(|body| body["category_ids"] = json!(["cat_00000000000000000000000000"]));
    assert_eq!(wrong.await, ["/category_ids/0"]);
    assert_eq!(
        pointers(|body| body["status"] = json!("archived")).await,
        ["/status"]
    );
    let wrong = pointers(|body| body["variants"][0]["prices"][0]["currency"] = json!("XAU"));
    assert_eq!(wrong.await, ["/variants/0/prices/0/currency"]);
    let wrong = pointers(|body| body["variants"][0]["prices"][0]["amount"] = json!(u64::MAX));
    assert_eq!(wrong.await, ["/variants/0/prices/0/amount"]);
    assert_eq!(
        pointers(|body| body["description"] = json!("a\u{0}b")).await,
        ["/description"]
    );
}

#[tokio::test]
async fn only_who_may_write_the_catalogue_creates() {
    let shop = TestShop::start().await;
    let anonymous = shop.client().post("/v1/products", shirt()).await;
    anonymous.problem(401, "auth.required");
    let support = shop.staff(StaffRole::Support).await;
    let refused = support.post("/v1/products", shirt()).await;
    refused.problem(403, "auth.forbidden");
    let merchandiser = shop.staff(StaffRole::Merchandiser).await;
    merchandiser.post("/v1/products", shirt()).await.expect(201);
}
