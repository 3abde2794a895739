//! `POST /v1/auth/request-password-reset` and `POST /v1/auth/reset-password`.

use std::time::Duration;

use contracts::user::{PasswordChanged, PasswordResetRequested};
use serde_json::json;
use testkit::{Answer, TestShop};

use crate::people::{PASSWORD, Session, customer, email, log_in, refresh, register, try_log_in};

const NEW: &str = "battery staple";

async fn request(shop: &TestShop, name: &str) -> Answer {
    let body = json!({"email": email(name)});
    shop.client()
        .post("/v1/auth/request-password-reset", body)
        .await
}

async fn reset(shop: &TestShop, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "password": password});
    shop.client().post("/v1/auth/reset-password", body).await
}

/// Asks for a mail and reads the token in it.
async fn mailed_token(shop: &TestShop, name: &str) -> String {
    request(shop, name).await.expect(202);
    shop.settle().await;
    let mails = shop.announced::<PasswordResetRequested>().await;
    let mail = mails.last().expect("a mail");
    assert_eq!(mail.email.as_str(), email(name));
    mail.reset_token.clone()
}

#[tokio::test]
async fn who_has_forgotten_the_password_gets_another_one() {
    let shop = TestShop::start().await;
    let (_, session) = customer(&shop, "ada").await;
    let other = log_in(&shop, "ada").await;
    let token = mailed_token(&shop, "ada").await;
    reset(&shop, &token, NEW).await.expect(204);
    for session in [session, other] {
        refresh(&shop, &session.refresh)
            .await
            .problem(401, "user.session_ended");
    }
    try_log_in(&shop, "ada", PASSWORD)
        .await
        .problem(401, "user.wrong_credentials");
    Session::of(try_log_in(&shop, "ada", NEW).await);
    reset(&shop, &token, NEW)
        .await
        .problem(422, "user.bad_mail_token");
    let changed = shop.announced::<PasswordChanged>().await;
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].email.as_str(), "ada@example.com");
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let shop = TestShop::builder().calm_bus().start().await;
    register(&shop, "ada").await;
    let statements = async |name: &str| {
        let name_of =
            "rialto_http_statements_total{role=\"user\",route=\"/v1/auth/request-password-reset\"";
        let before = shop.metric(name_of).await;
        let answer = request(&shop, name).await;
        (answer, shop.metric(name_of).await - before)
    };
    let (known, cost_of_known) = statements("ada").await;
    let (unknown, cost_of_unknown) = statements("bob").await;
    assert_eq!((known.status, &known.bytes), (202, &unknown.bytes));
    assert_eq!(unknown.status, 202);
    assert_eq!(cost_of_known, cost_of_unknown);
    assert!(cost_of_known > 0, "the metric counts");
    shop.settle().await;
    assert_eq!(shop.announced::<PasswordResetRequested>().await.len(), 1);
}

#[tokio::test]
async fn one_wish_is_one_mail_even_if_its_event_comes_twice() {
    let shop = TestShop::start().await;
    register(&shop, "ada").await;
    mailed_token(&shop, "ada").await;
    assert_eq!(shop.announced::<PasswordResetRequested>().await.len(), 1);
}

#[tokio::test]
async fn nobody_is_flooded_with_mails() {
    let shop = TestShop::builder()
        .set("auth.throttle_mails", 2)
        .start()
        .await;
    register(&shop, "ada").await;
    for _ in 0..4 {
        request(&shop, "ada").await.expect(202);
    }
    shop.settle().await;
    assert_eq!(shop.announced::<PasswordResetRequested>().await.len(), 2);
}

#[tokio::test]
async fn only_the_token_of_the_newest_mail_counts_and_not_for_long() {
    let shop = TestShop::start().await;
    register(&shop, "ada").await;
    let old = mailed_token(&shop, "ada").await;
    let new = mailed_token(&shop, "ada").await;
    reset(&shop, &old, NEW)
        .await
        .problem(422, "user.bad_mail_token");
    shop.clock.advance(Duration::from_secs(3600));
    reset(&shop, &new, NEW)
        .await
        .problem(422, "user.bad_mail_token");
    log_in(&shop, "ada").await;
}

#[tokio::test]
async fn a_weak_password_does_not_use_the_token_up() {
    let shop = TestShop::start().await;
    register(&shop, "ada").await;
    let token = mailed_token(&shop, "ada").await;
    let weak = reset(&shop, &token, "short")
        .await
        .problem(422, "user.weak_password");
    assert_eq!(weak["errors"][0]["pointer"], "/password");
    reset(&shop, &token, NEW).await.expect(204);
}

#[tokio::test]
async fn who_was_shut_out_and_resets_the_password_need_not_wait() {
    let shop = TestShop::builder()
        .set("auth.throttle_attempts", 1)
        .start()
        .await;
    register(&shop, "ada").await;
    try_log_in(&shop, "ada", "wrong horse")
        .await
        .problem(401, "user.wrong_credentials");
    try_log_in(&shop, "ada", PASSWORD)
        .await
        .problem(429, "user.log_in_throttled");
    let token = mailed_token(&shop, "ada").await;
    reset(&shop, &token, NEW).await.expect(204);
    Session::of(try_log_in(&shop, "ada", NEW).await);
}
