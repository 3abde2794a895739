//! `POST /v1/customers`.

use serde_json::json;
use testkit::TestShop;

fn ada() -> serde_json::Value {
    json!({"email": "Ada@Example.com", "password": "correct horse", "name": "Ada"})
}

#[tokio::test]
async fn somebody_becomes_a_customer() {
    let shop = TestShop::start().await;
    let answer = shop.client().post("/v1/customers", ada()).await;
    assert_eq!(answer.header("location"), Some("/v1/customers/me"));
    let profile = answer.expect(201);
    assert!(
        profile["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("cus_"))
    );
    assert_eq!(profile["email"], "ada@example.com");
    assert_eq!(profile["email_verified"], false);
    assert_eq!(profile["created_at"], "2026-01-01T12:00:00Z");
}

#[tokio::test]
async fn an_address_is_taken_once() {
    let shop = TestShop::start().await;
    shop.client().post("/v1/customers", ada()).await.expect(201);
    let again = shop.client().post("/v1/customers", ada()).await;
    again.problem(409, "user.email_taken");
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer() {
    let shop = TestShop::start().await;
    let key = "0198-registration-of-ada";
    let first = shop.client().post("/v1/customers", ada()).key(key).await;
    let again = shop
        .client()
        .post("/v1/customers", ada())
        .key(format!("\"{key}\""))
        .await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.status, &first.bytes), (again.status, &again.bytes));
    let mut other = ada();
    other["name"] = json!("Augusta");
    let other = shop.client().post("/v1/customers", other).key(key).await;
    other.problem(422, "idempotency.key_reused");
}

#[tokio::test]
async fn every_broken_rule_is_pointed_at() {
    let shop = TestShop::start().await;
    let post = |body| shop.client().post("/v1/customers", body);
    let weak = json!({"email": "ada@example.com", "password": "short", "name": "Ada"});
    let problem = post(weak).await.problem(422, "user.weak_password");
    assert_eq!(problem["errors"][0]["pointer"], "/password");
    let problem = post(json!({"email": "nobody", "password": "correct horse", "name": "Ada"}))
        .await
        .problem(422, "request.invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/email");
    let unknown =
        json!({"email": "a@example.com", "password": "correct horse", "name": "A", "x": 1});
    post(unknown).await.problem(422, "request.invalid");
}
