//! `POST /v1/auth/log-in`.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use testkit::TestShop;

use crate::people::{PASSWORD, bare, customer, email, log_in, refresh, register, try_log_in};

const WINDOW: Duration = Duration::from_secs(15 * 60);

#[tokio::test]
async fn a_customer_logs_in() {
    let shop = TestShop::start().await;
    let profile = register(&shop, "ada").await;
    let body = json!({"email": "Ada@Example.COM", "password": PASSWORD});
    let answer = shop.client().post("/v1/auth/log-in", body).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.expect(200);
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 900);
    let ada = shop
        .client()
        .with_token(tokens["access_token"].as_str().expect("a token"));
    assert_eq!(
        ada.get("/v1/customers/me").await.expect(200)["id"],
        profile["id"]
    );
    shop.clock.advance(Duration::from_secs(900));
    ada.get("/v1/customers/me")
        .await
        .problem(401, "auth.bad_token");
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let shop = TestShop::start().await;
    register(&shop, "ada").await;
    let wrong = try_log_in(&shop, "ada", "wrong horse").await;
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer"));
    let wrong = wrong.problem(401, "user.wrong_credentials");
    let unknown = try_log_in(&shop, "bob", PASSWORD)
        .await
        .problem(401, "user.wrong_credentials");
    assert_eq!(bare(wrong), bare(unknown));
}

#[tokio::test]
async fn too_many_wrong_passwords_shut_an_account_for_a_while() {
    let shop = TestShop::builder()
        .set("auth.throttle_attempts", 3)
        .start()
        .await;
    register(&shop, "ada").await;
    register(&shop, "bob").await;
    for name in ["ada", "nobody"] {
        for _ in 0..3 {
            try_log_in(&shop, name, "wrong horse")
                .await
                .problem(401, "user.wrong_credentials");
        }
        shop.clock.advance(Duration::from_secs(60));
        let right = try_log_in(&shop, name, PASSWORD).await;
        assert_eq!(right.header("retry-after"), Some("840"));
        right.problem(429, "user.log_in_throttled");
    }
    log_in(&shop, "bob").await;
    shop.clock.advance(WINDOW);
    log_in(&shop, "ada").await;
}

#[tokio::test]
async fn a_right_password_forgets_the_wrong_ones() {
    let shop = TestShop::builder()
        .set("auth.throttle_attempts", 3)
        .start()
        .await;
    register(&shop, "ada").await;
    for _ in 0..3 {
        for _ in 0..2 {
            try_log_in(&shop, "ada", "wrong horse")
                .await
                .problem(401, "user.wrong_credentials");
        }
        log_in(&shop, "ada").await;
    }
}

#[tokio::test]
async fn many_guesses_at_once_gain_nothing() {
    let shop = TestShop::builder()
        .set("auth.throttle_attempts", 3)
        .start()
        .await;
    register(&shop, "ada").await;
    let guesses = (0..12).map(|_| try_log_in(&shop, "ada", "wrong horse"));
    let answers = join_all(guesses).await;
    let judged = answers.iter().filter(|answer| answer.status == 401).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((judged, refused), (3, 9));
}

#[tokio::test]
async fn a_client_that_guesses_everywhere_is_shut_out() {
    let shop = TestShop::builder()
        .set("auth.throttle_client_attempts", 4)
        .set("gateway.trusted", "127.0.0.0/8")
        .start()
        .await;
    register(&shop, "ada").await;
    let attempt = async |name: &str, from: &str, password: &str| {
        let body = json!({"email": email(name), "password": password});
        let request = shop.client().post("/v1/auth/log-in", body);
        request.header("x-forwarded-for", from).await
    };
    // Log-ins that go well count for nothing, nor do they forgive the guesses.
    for _ in 0..3 {
        attempt("ada", "203.0.113.5", PASSWORD).await.expect(200);
    }
    for name in ["bob", "carl", "dora", "emil"] {
        let wrong = attempt(name, "203.0.113.5", "wrong horse").await;
        wrong.problem(401, "user.wrong_credentials");
    }
    let right = attempt("ada", "203.0.113.5", PASSWORD).await;
    assert_eq!(right.header("retry-after"), Some("900"));
    right.problem(429, "user.log_in_throttled");
    attempt("ada", "203.0.113.6", PASSWORD).await.expect(200);
    shop.clock.advance(WINDOW);
    attempt("ada", "203.0.113.5", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_least_used_sessions_end_when_there_are_too_many() {
    let shop = TestShop::builder().set("auth.sessions", 2).start().await;
    let (_, first) = customer(&shop, "ada").await;
    shop.clock.advance(Duration::from_secs(60));
    let second = log_in(&shop, "ada").await;
    shop.clock.advance(Duration::from_secs(60));
    let first = crate::people::Session::of(refresh(&shop, &first.refresh).await);
    log_in(&shop, "ada").await;
    refresh(&shop, &first.refresh).await.expect(200);
    refresh(&shop, &second.refresh)
        .await
        .problem(401, "user.session_ended");
}

#[tokio::test]
async fn what_cannot_be_a_log_in_is_refused() {
    let shop = TestShop::start().await;
    let post = |body| shop.client().post("/v1/auth/log-in", body);
    for (password, pointer) in [("", "/password"), (&*"x".repeat(129), "/password")] {
        let body = json!({"email": "ada@example.com", "password": password});
        let problem = post(body).await.problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let problem = post(json!({"email": "ada", "password": PASSWORD})).await;
    assert_eq!(
        problem.problem(422, "request.invalid")["errors"][0]["pointer"],
        "/email"
    );
}
