//! The table in force, and the next one.

use std::time::Duration;

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

[[gateway.route]]
name = "c"
path = "/caf%c3%a9"
redirect = { to = "elsewhere" }

[[gateway.route]]
name = "d"
path = "/d?x=1"
upstream = "one"
rewrite = "/d?y=2"
limit = [{ name = "l", per = "address", rate = "1/s" }]

[[gateway.route]]
name = "e"
path = "/e"
upstream = "one"
limit = [{ name = "l", per = "address", rate = "2/s" }]

[[gateway.route]]
name = "f"
path = "/e"
upstream = "one"
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
    assert!(found("15", "come as `/caf%C3%A9`"), "{text}");
    assert!(found("15", "`elsewhere` is no place"), "{text}");
    assert!(found("20", "`/d?x=1` is no path"), "{text}");
    assert!(found("20", "`rewrite` is a path"), "{text}");
    assert!(found("27", "limit `l`: another route"), "{text}");
    assert!(found("33", "no request gets here"), "{text}");
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

/// An upstream and a route of it, of one name, with all that is counted under it.
fn named(name: &str, backend: &Backend) -> String {
    let url = backend.url();
    format!(
        r#"
        [gateway.upstream.{name}]
        servers = ["{url}"]
        concurrency = {{ max = 100 }}
        [[gateway.route]]
        name = "{name}"
        path = "/{name}"
        upstream = "{name}"
        cache = {{}}
        limit = [{{ name = "{name}", per = "address", rate = "1000/1m" }}]
        "#
    )
}

async fn metrics(bridge: &Bridge) -> String {
    let metrics = bridge.admin().get("/metrics").await;
    String::from_utf8_lossy(&metrics.bytes).into_owned()
}

/// What the metrics have under a name.
async fn counted(bridge: &Bridge, name: &str) -> Vec<String> {
    let metrics = metrics(bridge).await;
    let lines = metrics.lines();
    let named = lines.filter(|line| line.contains(&format!("=\"{name}\"")));
    named.map(str::to_owned).collect()
}

/// What counts under a name that a table gives.
const FAMILIES: [&str; 8] = [
    "http_answers_total",
    "http_duration_seconds_count",
    "http_statements_total",
    "http_cache_misses_total",
    "limit_decisions_total",
    "upstream_requests_total",
    "upstream_usable_servers",
    "upstream_room",
];

#[tokio::test]
async fn what_no_table_has_any_more_is_counted_no_more() {
    let backend = Backend::start("one").await;
    let (stays, goes) = (named("stays", &backend), named("goes", &backend));
    let bridge = Bridge::open(&format!("{stays}{goes}")).await;
    let client = bridge.client();
    client.get("/stays").await.expect(200);
    client.get("/goes").await.expect(200);
    let before = counted(&bridge, "goes").await;
    for family in FAMILIES {
        let family = format!("rialto_{family}{{");
        assert!(
            before.iter().any(|line| line.starts_with(&family)),
            "{family} in {before:#?}"
        );
    }

    // A request of the old table is under way while the new one comes into force, which says of the
    // upstream that stays something else.
    backend.falls_silent();
    let asked = backend.requests();
    let reload = async {
        while backend.requests() == asked {
            tokio::task::yield_now().await;
        }
        bridge.write(&stays.replace("max = 100", "max = 200"));
        assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
        // Nobody has counted such an answer yet.
        backend.answers_with(202);
        backend.speaks_again();
    };
    let (answer, ()) = tokio::join!(client.get("/goes?late"), reload);
    answer.expect(202);
    backend.answers_with(200);
    client.get("/goes").await.problem(404, "request.no_route");
    let gone = async { while !counted(&bridge, "goes").await.is_empty() {} };
    let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
    assert!(gone.is_ok(), "{:#?}", counted(&bridge, "goes").await);

    // What stays goes on where it was.
    client.get("/stays").await.expect(200);
    let kept = counted(&bridge, "stays").await;
    for counter in [
        "rialto_http_answers_total{role=\"gateway\",route=\"stays\",method=\"*\",status=\"200\"} 2",
        "rialto_http_cache_misses_total{route=\"stays\"} 2",
        "rialto_limit_decisions_total{rule=\"stays\",outcome=\"allowed\"} 2",
        "rialto_upstream_requests_total{upstream=\"stays\",outcome=\"answered\"} 2",
    ] {
        assert!(
            kept.iter().any(|line| line == counter),
            "{counter} in {kept:#?}"
        );
    }

    // What comes back begins anew.
    bridge.write(&format!("{stays}{goes}"));
    assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
    client.get("/goes").await.expect(200);
    let again = counted(&bridge, "goes").await;
    let answers =
        "rialto_http_answers_total{role=\"gateway\",route=\"goes\",method=\"*\",status=\"200\"} 1";
    assert!(again.iter().any(|line| line == answers), "{again:#?}");
}
