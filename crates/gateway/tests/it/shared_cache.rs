//! Several gateways with one second level of the cache.

use std::future::IntoFuture;
use std::time::Duration;

use platform::testing::TestRedis;
use serde_json::{Value, json};
use testkit::Backend;

use crate::bridge::Bridge;
use crate::instances::{Cable, eventually};

const USER: &str = "gateway-cache";

/// A gateway that finds Redis at `url`, and hears what others announce there.
async fn gateway(backend: &Backend, url: &str) -> Bridge {
    let server = backend.url();
    let table = format!(
        r#"
        [gateway.upstream.one]
        servers = ["{server}"]
        [[gateway.route]]
        name = "one"
        path = "/one/{{*rest}}"
        upstream = "one"
        [gateway.route.cache]
        "#
    );
    let settings = [
        ("gateway.cache", url.to_owned()),
        ("gateway.cache_timeout", String::from("5s")),
    ];
    let bridge = Bridge::open_with(&table, &[], &settings).await;
    eventually("it hears", async || bridge.follows(USER).await).await;
    bridge
}

/// What the cache of a gateway did for a request.
async fn status(gateway: &Bridge, path: &str) -> String {
    let answer = gateway.client().get(path).await;
    let status = answer.header("cache-status").unwrap_or_default().to_owned();
    answer.expect(200);
    status
}

/// Which version of `/one/a` a gateway serves.
async fn version(gateway: &Bridge) -> Option<String> {
    let answer = gateway.client().get("/one/a").await;
    answer.header("x-version").map(str::to_owned)
}

/// Asks until the gateway has the answer in its own memory.
async fn keeps(gateway: &Bridge, path: &str) {
    eventually("it is in memory", async || {
        let status = status(gateway, path).await;
        status.contains("hit") && !status.contains("second-level")
    })
    .await;
}

async fn purge(gateway: &Bridge, purge: Value) {
    let answer = gateway.admin().post("/gateway/purge", purge).await;
    assert_eq!(answer.status, 204);
}

/// A server whose answers are good for long, and have the tag of their path.
async fn backend(gateways: usize) -> Option<(Backend, TestRedis, Vec<Bridge>)> {
    let redis = TestRedis::start()?;
    let backend = Backend::start("one").await;
    let good = "public, max-age=3600, stale-while-revalidate=3600";
    backend.tells("cache-control", good);
    let mut all = Vec::new();
    for _ in 0..gateways {
        all.push(gateway(&backend, &redis.url()).await);
    }
    Some((backend, redis, all))
}

#[tokio::test]
async fn what_one_gateway_purges_no_gateway_serves() {
    let Some((backend, _redis, all)) = backend(2).await else {
        return;
    };
    let [one, two] = all.as_slice() else {
        unreachable!("two were started")
    };
    let host = two.client().base().to_owned();
    for wanted in [
        json!({"tags": ["a"]}),
        json!({"url": format!("{host}/one/a")}),
        json!({"all": true}),
    ] {
        for (path, tag) in [("/one/a", "a"), ("/one/b", "b")] {
            backend.tells("surrogate-key", tag);
            keeps(one, path).await;
            keeps(two, path).await;
        }
        purge(one, wanted.clone()).await;
        eventually("the other purges it too", async || {
            !status(two, "/one/a").await.contains("hit")
        })
        .await;
        let other = status(two, "/one/b").await;
        assert_eq!(
            other.contains("hit"),
            wanted["all"].is_null(),
            "{wanted}: {other}"
        );
    }
    keeps(two, "/one/a").await;
    purge(one, json!({"tags": ["a", "b"], "soft": true})).await;
    two.shop.clock.advance(Duration::from_secs(1));
    eventually("a soft purge makes it stale", async || {
        let status = status(two, "/one/b").await;
        status.contains("stale-while-revalidate")
    })
    .await;
}

#[tokio::test]
async fn who_was_cut_off_serves_nothing_that_was_purged_meanwhile() {
    let Some((backend, redis, all)) = backend(1).await else {
        return;
    };
    let one = &all[0];
    let cable = Cable::to(&redis.url()).await;
    let two = gateway(&backend, &cable.url()).await;
    backend.tells("surrogate-key", "a");
    backend.tells("x-version", "old");
    keeps(one, "/one/a").await;
    keeps(&two, "/one/a").await;
    cable.cut();
    eventually("it hears no more", async || !two.follows(USER).await).await;
    backend.tells("x-version", "new");
    purge(one, json!({"tags": ["a"]})).await;
    assert_eq!(version(one).await.as_deref(), Some("new"));
    let known = version(&two).await;
    assert_eq!(known.as_deref(), Some("old"), "it cannot know");
    cable.mend();
    eventually("it hears again", async || two.follows(USER).await).await;
    assert_eq!(version(&two).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_purge_that_redis_has_not_taken_is_not_told_to_be_done() {
    let Some((backend, redis, all)) = backend(1).await else {
        return;
    };
    let two = &all[0];
    let cable = Cable::to(&redis.url()).await;
    let one = gateway(&backend, &cable.url()).await;
    backend.tells("surrogate-key", "a");
    backend.tells("x-version", "old");
    keeps(&one, "/one/a").await;
    keeps(two, "/one/a").await;
    cable.cut();
    backend.tells("x-version", "new");
    let answer = one.admin().post("/gateway/purge", json!({"tags": ["a"]}));
    let problem = answer.await.problem(503, "server.unavailable");
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|detail| detail.starts_with("purged here"))
    );
    assert_eq!(version(&one).await.as_deref(), Some("new"));
    assert_eq!(version(two).await.as_deref(), Some("old"), "it cannot know");
    cable.mend();
    eventually("it has been taken", async || {
        version(two).await.as_deref() == Some("new")
    })
    .await;
    purge(&one, json!({"tags": ["a"]})).await;
}

#[tokio::test]
async fn what_a_proxy_says_of_the_client_keeps_answers_apart() {
    let backend = Backend::start("one").await;
    backend.tells("cache-control", "max-age=60");
    let table = crate::upstreams::table(&[&backend], "") + "keep_host = true\ncache = {}\n";
    let trusted = ("gateway.trusted", String::from(r#"["127.0.0.0/8"]"#));
    let bridge = Bridge::open_with(&table, &[], &[trusted]).await;
    let get = |name: &str, value: &str| {
        let asked = bridge.client().get("/all/a");
        asked.header(name, value).into_future()
    };
    for (name, values) in [
        ("x-forwarded-host", ["a.example", "b.example"]),
        ("x-forwarded-proto", ["https", "http"]),
    ] {
        for value in values {
            let seen = get(name, value).await.expect(200);
            assert_eq!(seen["headers"][name], value);
        }
    }
    assert_eq!(backend.requests(), 4);
    get("x-forwarded-proto", "https").await.expect(200);
    assert_eq!(backend.requests(), 4, "kept for those who ask alike");
    // What the gateway says to each server of each client makes no two requests alike.
    backend.tells("vary", "x-forwarded-for");
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.1"] {
        let asked = bridge
            .client()
            .get("/all/b")
            .header("x-forwarded-for", client);
        let seen = asked.await.expect(200);
        assert_eq!(
            seen["headers"]["x-forwarded-for"],
            format!("{client}, 127.0.0.1")
        );
    }
}
