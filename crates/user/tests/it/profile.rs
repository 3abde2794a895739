//! `GET` and `PATCH /v1/customers/me`.

use serde_json::json;
use testkit::TestShop;

use crate::people::customer;

const ME: &str = "/v1/customers/me";

#[tokio::test]
async fn a_customer_changes_their_name() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    let before = ada.get(ME).await.etag();
    let answer = ada
        .patch(ME, json!({"name": "Ada King"}))
        .if_match(&before)
        .await;
    let after = answer.etag();
    assert_eq!(answer.expect(200)["name"], "Ada King");
    let stale = ada
        .patch(ME, json!({"name": "Augusta"}))
        .if_match(&before)
        .await;
    stale.problem(412, "request.stale");
    let unchanged = ada.patch(ME, json!({"name": "Ada King"})).await;
    assert_eq!(unchanged.etag(), after);
    assert_eq!(
        ada.patch(ME, json!({})).await.expect(200)["name"],
        "Ada King"
    );
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    let blank = ada
        .patch(ME, json!({"name": " "}))
        .await
        .problem(422, "request.invalid");
    assert_eq!(blank["errors"][0]["pointer"], "/name");
    let email = ada.patch(ME, json!({"email": "other@example.com"})).await;
    email.problem(422, "request.invalid");
}

#[tokio::test]
async fn nobody_has_no_profile() {
    let shop = TestShop::start().await;
    shop.client().get(ME).await.problem(401, "auth.required");
    shop.admin()
        .await
        .get(ME)
        .await
        .problem(403, "auth.forbidden");
    let forged = shop.client().with_token("a.b.c");
    forged.get(ME).await.problem(401, "auth.bad_token");
}
