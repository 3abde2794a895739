//! `POST /v1/auth/log-out`.

use serde_json::json;
use testkit::{Answer, TestShop};

use crate::people::{Session, customer, log_in, refresh};

async fn log_out(shop: &TestShop, token: &str) -> Answer {
    let body = json!({"refresh_token": token});
    shop.client().post("/v1/auth/log-out", body).await
}

#[tokio::test]
async fn a_session_ends_and_no_other() {
    let shop = TestShop::start().await;
    let (_, session) = customer(&shop, "ada").await;
    let other = log_in(&shop, "ada").await;
    log_out(&shop, &session.refresh).await.expect(204);
    refresh(&shop, &session.refresh)
        .await
        .problem(401, "user.session_ended");
    refresh(&shop, &other.refresh).await.expect(200);
    // Twice is once, and nonsense ends nothing.
    log_out(&shop, &session.refresh).await.expect(204);
    log_out(&shop, "nonsense").await.expect(204);
}

#[tokio::test]
async fn a_token_of_before_ends_the_session_as_well() {
    let shop = TestShop::start().await;
    let (_, session) = customer(&shop, "ada").await;
    let next = Session::of(refresh(&shop, &session.refresh).await);
    log_out(&shop, &session.refresh).await.expect(204);
    refresh(&shop, &next.refresh)
        .await
        .problem(401, "user.session_ended");
}
