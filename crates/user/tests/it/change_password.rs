//! `PUT /v1/customers/me/password`.

use contracts::user::PasswordChanged;
use serde_json::json;
use testkit::{Answer, Client, TestShop};

use crate::people::{PASSWORD, Session, customer, log_in, refresh, try_log_in};

const NEW: &str = "battery staple";

async fn change(ada: &Client, old: &str, new: &str) -> Answer {
    let body = json!({"old_password": old, "password": new});
    ada.put("/v1/customers/me/password", body).await
}

#[tokio::test]
async fn every_other_session_ends() {
    let shop = TestShop::start().await;
    let (ada, session) = customer(&shop, "ada").await;
    let other = log_in(&shop, "ada").await;
    change(&ada, PASSWORD, NEW).await.expect(204);
    refresh(&shop, &other.refresh)
        .await
        .problem(401, "user.session_ended");
    refresh(&shop, &session.refresh).await.expect(200);
    try_log_in(&shop, "ada", PASSWORD)
        .await
        .problem(401, "user.wrong_credentials");
    Session::of(try_log_in(&shop, "ada", NEW).await);
    assert_eq!(shop.announced::<PasswordChanged>().await.len(), 1);
}

#[tokio::test]
async fn the_present_password_is_needed_and_cannot_be_guessed() {
    let shop = TestShop::builder()
        .set("auth.throttle_attempts", 2)
        .start()
        .await;
    let (ada, session) = customer(&shop, "ada").await;
    for _ in 0..2 {
        let wrong = change(&ada, "wrong horse", NEW)
            .await
            .problem(422, "user.wrong_password");
        assert_eq!(wrong["errors"][0]["pointer"], "/old_password");
    }
    change(&ada, PASSWORD, NEW)
        .await
        .problem(429, "user.log_in_throttled");
    // Who guesses here does not lock the customer out of the log-in.
    log_in(&shop, "ada").await;
    refresh(&shop, &session.refresh).await.expect(200);
    assert!(shop.announced::<PasswordChanged>().await.is_empty());
}

#[tokio::test]
async fn a_weak_password_is_refused() {
    let shop = TestShop::start().await;
    let (ada, _) = customer(&shop, "ada").await;
    change(&ada, PASSWORD, "password")
        .await
        .problem(422, "user.weak_password");
    log_in(&shop, "ada").await;
}
