//! What is too large or leads nowhere gets a problem with a code of its own.

use http::Method;
use platform::testing::TestRedis;
use testkit::TestShop;

#[tokio::test]
async fn what_is_too_large_is_refused_with_its_code() {
    let shop = TestShop::builder()
        .set("http.header_limit", "8KiB")
        .set("http.uri_limit", "1000")
        .set("http.body_limit", "1KiB")
        .start()
        .await;
    let client = shop.client();
    let long = "x".repeat(9000);
    let answer = client.get("/v1/products").header("x-long", &long).await;
    answer.problem(431, "request.headers_too_large");
    let answer = client
        .get(format!("/v1/products?q={}", &long[..1000]))
        .await;
    answer.problem(414, "request.uri_too_long");
    let answer = client.post("/v1/customers", &long[..2000]).await;
    answer.problem(413, "request.too_large");
}

#[tokio::test]
async fn instances_count_requests_and_attempts_together() {
    let Some(redis) = TestRedis::start() else {
        return;
    };
    let start = async || {
        let shop = TestShop::builder()
            .set("gateway.rate_limit", 10)
            .set("gateway.rate_window", "1h")
            .set("gateway.rate_burst", 49)
            .set("gateway.limits", redis.url())
            .set("gateway.limits_timeout", "5s")
            .set("cache.url", redis.url())
            .set("auth.throttle_attempts", 3);
        shop.start().await
    };
    let shops = [start().await, start().await];
    let guess = serde_json::json!({ "email": "ada@example.com", "password": "it might be this" });
    let [first, second] = &shops;
    for shop in [first, second, first] {
        let wrong = shop.client().post("/v1/auth/log-in", &guess).await;
        wrong.problem(401, "user.wrong_credentials");
    }
    let throttled = second.client().post("/v1/auth/log-in", &guess).await;
    assert_eq!(
        throttled.header("ratelimit-policy"),
        Some("\"default\";q=50;w=18000")
    );
    throttled.problem(429, "user.log_in_throttled");
    let mut passed = 0;
    while first.client().get("/v1/products").await.status == 200 {
        passed += 1;
        assert!(passed < 50, "the limit holds");
    }
    let refused = second.client().get("/v1/products").await;
    assert!(refused.header("retry-after").is_some());
    refused.problem(429, "limit.rate");
}

#[tokio::test]
async fn what_leads_nowhere_is_told() {
    let shop = TestShop::start().await;
    let client = shop.client();
    client
        .get("/v2/products")
        .await
        .problem(404, "request.no_route");
    let answer = client.request(Method::PUT, "/v1/customers").await;
    assert!(
        answer
            .header("allow")
            .is_some_and(|allow| allow.contains("POST"))
    );
    answer.problem(405, "request.method_not_allowed");
    let answer = client
        .request(Method::POST, "/v1/customers")
        .bytes("{}")
        .await;
    answer.problem(415, "request.unsupported_media_type");
    let answer = client.post("/v1/customers", "").bytes("{\"email\": ").await;
    answer.problem(400, "request.malformed");
}
