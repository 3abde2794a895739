//! `POST /v1/auth/verify-email` and `POST /v1/auth/request-verification`.

use std::time::Duration;

use contracts::user::{EmailVerified, UserRegistered, VerificationRequested};
use serde_json::json;
use testkit::{Answer, TestShop};

use crate::people::{customer, register};

async fn verify(shop: &TestShop, token: &str) -> Answer {
    shop.client()
        .post("/v1/auth/verify-email", json!({"token": token}))
        .await
}

async fn first_token(shop: &TestShop) -> String {
    let registered = shop.announced::<UserRegistered>().await;
    registered[0].verification_token.clone()
}

#[tokio::test]
async fn a_mailed_token_verifies_the_address_once() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    let before = ada.get("/v1/customers/me").await.etag();
    let token = first_token(&shop).await;
    verify(&shop, &token).await.expect(204);
    let profile = ada.get("/v1/customers/me").await;
    assert_ne!(profile.etag(), before);
    assert_eq!(profile.expect(200)["email_verified"], true);
    let again = verify(&shop, &token)
        .await
        .problem(422, "user.bad_mail_token");
    assert_eq!(again["errors"][0]["pointer"], "/token");
    assert_eq!(shop.announced::<EmailVerified>().await.len(), 1);
}

#[tokio::test]
async fn another_mail_takes_the_place_of_the_one_before() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    let old = first_token(&shop).await;
    ada.request(http::Method::POST, "/v1/auth/request-verification")
        .await
        .expect(202);
    let requested = shop.announced::<VerificationRequested>().await;
    assert_eq!(requested[0].email.as_str(), "ada@example.com");
    verify(&shop, &old)
        .await
        .problem(422, "user.bad_mail_token");
    verify(&shop, &requested[0].verification_token)
        .await
        .expect(204);
    // Who is verified gets no further mail.
    ada.request(http::Method::POST, "/v1/auth/request-verification")
        .await
        .expect(202);
    assert_eq!(shop.announced::<VerificationRequested>().await.len(), 1);
}

#[tokio::test]
async fn nobody_is_flooded_with_mails() {
    let shop = TestShop::builder()
        .set("auth.throttle_mails", 2)
        .start()
        .await;
    let (ada, _) = customer(&shop, "ada").await;
    let request = || ada.request(http::Method::POST, "/v1/auth/request-verification");
    request().await.expect(202);
    request().await.expect(202);
    let third = request().await;
    assert_eq!(third.header("retry-after"), Some("900"));
    third.problem(429, "limit.rate");
    assert_eq!(shop.announced::<VerificationRequested>().await.len(), 2);
}

#[tokio::test]
async fn a_token_expires_and_is_swept_out() {
    let shop = TestShop::start().await;
    register(&shop, "ada").await;
    let token = first_token(&shop).await;
    shop.clock.advance(Duration::from_secs(48 * 3600));
    verify(&shop, &token)
        .await
        .problem(422, "user.bad_mail_token");
    shop.settle().await;
    assert_eq!(crate::people::count(&shop, "mail_tokens").await, 0);
}

#[tokio::test]
async fn what_was_never_a_token_is_refused() {
    let shop = TestShop::start().await;
    register(&shop, "ada").await;
    let token = first_token(&shop).await;
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    for wrong in ["x", &forged] {
        verify(&shop, wrong)
            .await
            .problem(422, "user.bad_mail_token");
    }
    verify(&shop, &"x".repeat(201))
        .await
        .problem(422, "request.invalid");
    verify(&shop, &token).await.expect(204);
}
