//! The table in force, and the next one.

use testkit::Backend;

use crate::bridge::Bridge;

fn table(path: &str, backend: &Backend) -> String {
    let url = backend.url();
    format!(
        r#"
        [gateway.upstream.one]
        servers = ["{url}"]
        [[gateway.route]]
        name = "one"
        path = "{path}"
        upstream = "one"
        "#
    )
}

#[tokio::test]
async fn a_new_table_comes_into_force_at_once_or_not_at_all() {
    let backend = Backend::start("one").await;
    let bridge = Bridge::open(&table("/old", &backend)).await;
    bridge.client().get("/old").await.expect(200);

    bridge.write(&table("/new", &backend));
    assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
    bridge.client().get("/new").await.expect(200);
    bridge
        .client()
        .get("/old")
        .await
        .problem(404, "request.no_route");

    bridge.write(&format!("{}\nsurprise = 1\n", table("/newer", &backend)));
    let refused = bridge.admin().post("/gateway/reload", ()).await;
    assert_eq!(refused.status, 422);
    let text = String::from_utf8_lossy(&refused.bytes).into_owned();
    assert!(
        text.contains("routes.toml:9: ") && text.contains("surprise"),
        "{text}"
    );
    bridge.client().get("/new").await.expect(200);
}

#[tokio::test]
async fn the_file_is_watched() {
    let backend = Backend::start("one").await;
    let bridge = Bridge::open(&table("/old", &backend)).await;
    bridge.write(&table("/new", &backend));
    while bridge.client().get("/new").await.status != 200 {}
    bridge
        .client()
        .get("/old")
        .await
        .problem(404, "request.no_route");
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_with_its_line() {
    let backend = Backend::start("one").await;
    let bridge = Bridge::open(&table("/old", &backend)).await;
    bridge.write(
        r#"[gateway.upstream.one]
servers = ["10.0.0.1:80"]

[[gateway.route]]
name = "a"
path = "/a/{id"
upstream = "one"

[[gateway.route]]
name = "a"
path = "/b/{id}"
upstream = "two"
rewrite = "/{other}"
"#,
    );
    let refused = bridge.admin().post("/gateway/reload", ()).await;
    let text = String::from_utf8_lossy(&refused.bytes).into_owned();
    let found = |line: &str, words: &str| {
        text.lines()
            .any(|told| told.contains(&format!("routes.toml:{line}: ")) && told.contains(words))
    };
    assert!(found("1", "`10.0.0.1:80` is no server"), "{text}");
    assert!(found("4", "is no template"), "{text}");
    assert!(found("9", "two routes called `a`"), "{text}");
    assert!(found("9", "no upstream `two`"), "{text}");
    assert!(found("9", "`{other}` is no capture"), "{text}");
}

#[tokio::test]
async fn many_reloads_fail_no_request() {
    let backend = Backend::start("one").await;
    let bridge = Bridge::open(&table("/a", &backend)).await;
    let client = bridge.client().clone();
    let stop = platform::tasks::Shutdown::new();
    let told = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "awaited below")]
    let asking = tokio::spawn(async move {
        let mut asked = 0;
        while !told.begun() {
            client.get("/a").await.expect(200);
            asked += 1;
        }
        asked
    });
    for _ in 0..300 {
        assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
    }
    stop.begin();
    assert!(asking.await.expect("nothing failed") > 0);
}
