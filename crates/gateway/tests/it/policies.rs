//! Routes with limits, and with a cache.

use std::time::Duration;

use platform::testing::TestRedis;
use serde_json::json;
use testkit::{Backend, Product};

use crate::bridge::Bridge;
use crate::instances::eventually;

async fn bridge(backend: &Backend, policy: &str) -> Bridge {
    Bridge::open(&table(backend, policy)).await
}

fn table(backend: &Backend, policy: &str) -> String {
    let url = backend.url();
    format!(
        r#"
        [gateway.upstream.one]
        servers = ["{url}"]
        [[gateway.route]]
        name = "one"
        path = "/one/{{*rest}}"
        upstream = "one"
        {policy}
        "#
    )
}

#[tokio::test]
async fn a_kept_answer_is_not_asked_for_again_until_it_is_purged() {
    let backend = Backend::start("one").await;
    backend.tells("cache-control", "public, max-age=3600");
    backend.tells("surrogate-key", "mugs mug-7");
    let bridge = bridge(&backend, "[gateway.route.cache]").await;
    let status = async |path: &str| {
        let answer = bridge.client().get(path).await;
        assert_eq!(answer.header("surrogate-key"), None, "not for clients");
        let status = answer.header("cache-status").unwrap_or_default().to_owned();
        answer.expect(200);
        status
    };
    assert!(status("/one/a").await.contains("fwd=uri-miss"));
    assert!(status("/one/a").await.contains("hit"));
    assert!(status("/one/b").await.contains("fwd=uri-miss"));
    assert_eq!(backend.requests(), 2);

    let purge = json!({"tags": ["mug-7"]});
    assert_eq!(
        bridge.admin().post("/gateway/purge", purge).await.status,
        204
    );
    assert!(!status("/one/a").await.contains("hit"));
    assert_eq!(backend.requests(), 3);

    let nothing = bridge.admin().post("/gateway/purge", json!({})).await;
    nothing.problem(422, "request.invalid");

    // What is kept outlives the table.
    assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
    assert!(status("/one/a").await.contains("hit"));
}

#[tokio::test]
async fn what_has_changed_in_the_shop_is_not_answered_from_the_cache() {
    let backend = Backend::start("one").await;
    backend.tells("cache-control", "public, max-age=3600");
    let rules = r#"
        [gateway.route.cache]
        [[gateway.purge]]
        on = "rialto.product.changed.v1"
        tags = ["product-{subject}"]
        "#;
    let bridge = bridge(&backend, rules).await;
    let mug = bridge.shop.product("mug").create().await;
    let cap = bridge.shop.product("cap").create().await;
    let page = async |product: &Product| {
        backend.tells("surrogate-key", &format!("product-{}", product.id));
        let path = format!("/one/{}", product.id);
        let answer = bridge.client().get(path).await;
        let status = answer.header("cache-status").map(str::to_owned);
        answer.expect(200);
        status.unwrap_or_default().contains("hit")
    };
    bridge.shop.settle().await;
    assert!(!page(&mug).await && !page(&cap).await);
    assert!(page(&mug).await && page(&cap).await);
    let admin = bridge.shop.admin().await;
    let change = json!({"title": "A larger mug"});
    let path = format!("/v1/products/{}", mug.id);
    admin.patch(path, change).if_match("*").await.expect(200);
    bridge.shop.settle().await;
    assert!(!page(&mug).await, "its page was purged");
    assert!(page(&cap).await, "other pages were not");
}

/// A cache in front of the shop: the clock of the tests stands, so nothing in it gets stale by itself.
#[tokio::test]
async fn the_shop_names_what_its_events_purge() {
    let table = r#"
        [[gateway.route]]
        name = "kept"
        path = "/kept/{*rest}"
        shop = true
        rewrite = "/v1/{rest}"
        cache = {}
        [[gateway.purge]]
        on = "rialto.product.changed.v1"
        tags = ["product-{subject}", "products"]
        "#;
    let bridge = Bridge::open(table).await;
    let mug = bridge.shop.product("mug").create().await;
    let cap = bridge.shop.product("cap").create().await;
    bridge.shop.settle().await;
    let of_mug = format!("/kept/products/{}", mug.id);
    let concerned = [
        of_mug.as_str(),
        "/kept/products/by-slug/mug",
        "/kept/products?limit=5",
        "/kept/search?q=mug",
    ];
    let of_cap = format!("/kept/products/{}", cap.id);
    let hit = async |path: &str| {
        let answer = bridge.client().get(path).await;
        let status = answer.header("cache-status").map(str::to_owned);
        answer.expect(200);
        status.unwrap_or_default().contains("hit")
    };
    for path in concerned.into_iter().chain([of_cap.as_str()]) {
        assert!(!hit(path).await, "{path}");
        assert!(hit(path).await, "{path}");
    }
    let admin = bridge.shop.admin().await;
    let change = json!({"title": "A larger mug"});
    let path = format!("/v1/products/{}", mug.id);
    admin.patch(path, change).if_match("*").await.expect(200);
    bridge.shop.settle().await;
    for path in concerned {
        assert!(!hit(path).await, "{path} was purged");
    }
    let shown = bridge.client().get(&of_mug).await.expect(200);
    assert_eq!(shown["title"], "A larger mug");
    assert!(hit(&of_cap).await, "what shows no other product was not");
}

#[tokio::test]
async fn an_upstream_that_is_asked_again_for_nobody_hears_who_has_asked() {
    let backend = Backend::start("one").await;
    backend.tells("cache-control", "max-age=10, stale-while-revalidate=3600");
    let bridge = bridge(&backend, "cache = {}").await;
    let seen = async || {
        let asked = bridge.client().get("/one/a");
        let answer = asked.header("x-request-id", "its own").await.expect(200);
        let text = |name: &str| answer["headers"][name].as_str().map(str::to_owned);
        ["x-forwarded-for", "traceparent", "x-request-id"].map(text)
    };
    let [client, first, named] = seen().await;
    assert_eq!(client.as_deref(), Some("127.0.0.1"));
    assert!(first.is_some() && named.is_some());
    bridge.shop.clock.advance(Duration::from_secs(11));
    assert_eq!(seen().await[1], first, "the old one, while it is asked");
    eventually("the new one is here", async || seen().await[1] != first).await;
    let [again, second, named] = seen().await;
    assert_eq!(again, client);
    assert!(
        second.is_some(),
        "it belongs to the trace of who found it old"
    );
    assert_eq!(named, None, "no answer has its name");
}

#[tokio::test]
async fn a_route_to_the_shop_keeps_its_rules_and_the_shop_its_own() {
    let table = r#"
        [[gateway.route]]
        name = "few"
        path = "/v1/products"
        shop = true
        limit = [{ name = "few", per = "address", rate = "2/1h" }]
        [[gateway.route]]
        name = "staff"
        path = "/staff/{*rest}"
        shop = true
        rewrite = "/v1/{rest}"
        [gateway.route.response]
        headers = { set = { x-through = "the table" } }
        "#;
    let bridge = Bridge::open(table).await;
    let shop = bridge.client();
    for _ in 0..2 {
        let listed = shop.get("/v1/products").await;
        assert!(listed.header("ratelimit").is_some());
        listed.expect(200);
    }
    shop.get("/v1/products").await.problem(429, "limit.rate");
    // Another path of the shop has no such rule.
    shop.get("/v1/search?q=mug").await.expect(200);

    // What the table says of a route takes nothing away from what the shop says of its own.
    let orders = "/staff/orders";
    let refused = shop.get(orders).await;
    assert_eq!(refused.header("x-through"), Some("the table"));
    refused.problem(401, "auth.required");
    let admin = bridge.shop.admin().await;
    let answer = admin.get(orders).await;
    assert_eq!(answer.header("x-through"), Some("the table"));
    answer.expect(200);
    shop.get("/staff/nothing")
        .await
        .problem(404, "request.no_route");
}

#[tokio::test]
async fn what_cannot_purge_is_told_when_the_table_is_read() {
    let backend = Backend::start("one").await;
    let bridge = bridge(&backend, "[gateway.route.cache]").await;
    let rules = r#"
        [gateway.route.cache]
        [[gateway.purge]]
        on = "rialto.product.moved.v1"
        tags = ["product-{id}", "all of them"]
        "#;
    bridge.write(&table(&backend, rules));
    let refused = bridge.admin().post("/gateway/reload", ()).await;
    assert_eq!(refused.status, 422);
    let text = String::from_utf8_lossy(&refused.bytes).into_owned();
    for told in [
        "`rialto.product.moved.v1` is no event that purges; there are: rialto.product.created.v1",
        "`{id}` is not known in `product-{id}`; `{subject}` is",
        "`all of them` is no tag",
    ] {
        assert!(text.contains(told), "{text}");
    }
}

/// Both are told of a route that keeps answers, and share a Redis.
#[tokio::test]
async fn what_one_instance_has_fetched_the_others_have() {
    let Some(redis) = TestRedis::start() else {
        return;
    };
    let backend = Backend::start("one").await;
    backend.tells("cache-control", "public, max-age=3600");
    let shared = [
        ("gateway.cache", redis.url()),
        ("gateway.cache_timeout", String::from("5s")),
    ];
    let table = table(&backend, "[gateway.route.cache]");
    let one = Bridge::open_with(&table, &[], &shared).await;
    let other = Bridge::open_with(&table, &[], &shared).await;
    let status = async |bridge: &Bridge, path: &str| {
        let answer = bridge.client().get(path).header("host", "shop.example");
        let answer = answer.await;
        let status = answer.header("cache-status").map(str::to_owned);
        answer.expect(200);
        status.unwrap_or_default()
    };
    // It is told of what the first one has fetched once that has been answered.
    let mut tries = 0;
    loop {
        let path = format!("/one/{tries}");
        let first = status(&one, &path).await;
        assert!(first.contains("fwd=uri-miss"), "{first}");
        let second = status(&other, &path).await;
        if second.contains("detail=second-level") {
            assert_eq!(backend.requests(), 2 * tries + 1);
            break;
        }
        tries += 1;
        assert!(tries < 100, "{second}");
    }
}

#[tokio::test]
async fn a_route_lets_through_what_its_limits_allow() {
    let backend = Backend::start("one").await;
    let policy = r#"
        [[gateway.route.limit]]
        name = "one"
        per = "address"
        rate = "2/1m"
        [[gateway.route.limit]]
        name = "writing"
        per = "address"
        rate = "1/1m"
        cost = { POST = 1, default = 0 }
        "#;
    let bridge = bridge(&backend, policy).await;
    bridge.client().post("/one/a", ()).await.expect(200);
    let refused = bridge.client().post("/one/a", ()).await;
    assert!(refused.header("retry-after").is_some());
    refused.problem(429, "limit.rate");
    // What was refused has taken from no rule.
    let answer = bridge.client().get("/one/a").await;
    assert!(
        answer
            .header("ratelimit-policy")
            .is_some_and(|told| told.contains("one"))
    );
    answer.expect(200);
    bridge
        .client()
        .get("/one/a")
        .await
        .problem(429, "limit.rate");
    assert_eq!(backend.requests(), 2);
    // A new table does not forget.
    assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
    bridge
        .client()
        .get("/one/a")
        .await
        .problem(429, "limit.rate");
}

#[tokio::test]
async fn policies_that_cannot_be_kept_are_told() {
    let backend = Backend::start("one").await;
    let good = bridge(&backend, "").await;
    let before = std::fs::read_to_string(good.file("routes.toml")).expect("read");
    for (policy, told) in [
        (
            "[gateway.route.cache]\nvariants = 0",
            "cache: variants is 0",
        ),
        (
            "limit = [{ name = \"a\", per = \"moon\", rate = \"1/s\" }]",
            "moon",
        ),
        ("cache = { memory = \"1MiB\" }", "unknown field `memory`"),
    ] {
        good.write(&format!("{before}\n{policy}\n"));
        let refused = good.admin().post("/gateway/reload", ()).await;
        let text = String::from_utf8_lossy(&refused.bytes).into_owned();
        assert!(refused.status == 422 && text.contains(told), "{text}");
    }
}
