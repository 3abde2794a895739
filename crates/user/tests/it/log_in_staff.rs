//! `POST /v1/auth/staff/log-in`.

use kernel::StaffRole;
use rialto::Role;
use serde_json::json;
use testkit::{Answer, TestShop};

use crate::people::{PASSWORD, bare, register};

async fn try_log_in(shop: &TestShop, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    shop.client().post("/v1/auth/staff/log-in", body).await
}

#[tokio::test]
async fn staff_log_in_and_customers_do_not_log_in_as_staff() {
    let shop = TestShop::start().await;
    let db = shop.db(Role::User);
    user::create_staff(
        db,
        "mia@shop.example",
        "Mia",
        PASSWORD,
        &[StaffRole::Support],
    )
    .await
    .expect("staff is created");
    register(&shop, "ada").await;
    let tokens = try_log_in(&shop, "mia@shop.example", PASSWORD)
        .await
        .expect(200);
    let mia = shop
        .client()
        .with_token(tokens["access_token"].as_str().expect("a token"));
    mia.get("/v1/customers/me")
        .await
        .problem(403, "auth.forbidden");
    let customer = try_log_in(&shop, "ada@example.com", PASSWORD).await;
    let customer = customer.problem(401, "user.wrong_credentials");
    let wrong = try_log_in(&shop, "mia@shop.example", "wrong horse").await;
    assert_eq!(
        bare(customer),
        bare(wrong.problem(401, "user.wrong_credentials"))
    );
    let body = json!({"email": "mia@shop.example", "password": PASSWORD});
    let as_customer = shop.client().post("/v1/auth/log-in", body).await;
    as_customer.problem(401, "user.wrong_credentials");
}

#[tokio::test]
async fn too_many_wrong_passwords_shut_an_account_for_a_while() {
    let shop = TestShop::builder()
        .set("auth.throttle_attempts", 2)
        .start()
        .await;
    for _ in 0..2 {
        let wrong = try_log_in(&shop, "mia@shop.example", "wrong horse").await;
        wrong.problem(401, "user.wrong_credentials");
    }
    let throttled = try_log_in(&shop, "mia@shop.example", "wrong horse").await;
    throttled.problem(429, "user.log_in_throttled");
}
