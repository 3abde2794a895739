//! Which requests get where, and as what.

use testkit::Backend;

use crate::bridge::Bridge;

#[tokio::test]
async fn a_route_leads_to_its_upstream_and_the_rest_to_the_shop() {
    let backend = Backend::start("catalogue").await;
    let url = backend.url();
    let bridge = Bridge::open(&format!(
        r#"
        [gateway.upstream.catalogue]
        servers = ["{url}"]

        [[gateway.route]]
        name = "catalogue"
        path = "/catalogue/{{*rest}}"
        upstream = "catalogue"
        rewrite = "/v2/{{rest}}"
        "#
    ))
    .await;
    let answer = bridge
        .client()
        .post("/catalogue/a/b?x=1&y=%20", serde_json::json!({"n": 1}))
        .header("authorization", "Basic b2ZmOmxpbmU=")
        .header("x-user-id", "forged")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .await;
    let seen = answer.expect(200);
    assert_eq!(seen["server"], "catalogue");
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["target"], "/v2/a/b?x=1&y=%20");
    assert_eq!(seen["body"], "{\"n\":1}");
    let headers = &seen["headers"];
    assert_eq!(headers["host"], backend.address().to_string());
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "http");
    let public = bridge.client().base().trim_start_matches("http://");
    assert_eq!(headers["x-forwarded-host"], public);
    // It is theirs to say whether this is somebody.
    assert_eq!(headers["authorization"], "Basic b2ZmOmxpbmU=");
    assert!(headers["x-user-id"].is_null() && headers["x-hop"].is_null());
    assert!(headers["traceparent"].is_string() && headers["x-request-id"].is_string());

    bridge.client().get("/v1/products").await.expect(200);
    bridge
        .client()
        .get("/nowhere")
        .await
        .problem(404, "request.no_route");
    bridge
        .client()
        .get("/catalogue/a%00")
        .await
        .problem(400, "gateway.bad_path");
}

#[tokio::test]
async fn nobody_gets_around_a_route_by_writing_its_path_in_another_way() {
    let backend = Backend::start("inner").await;
    let url = backend.url();
    let bridge = Bridge::open(&format!(
        r#"
        [gateway.upstream.inner]
        servers = ["{url}"]
        [[gateway.route]]
        name = "open"
        path = "/open/{{*rest}}"
        upstream = "inner"
        [[gateway.route]]
        name = "closed"
        path = "/open/closed"
        redirect = {{ to = "/log-in?then={{query}}", status = 302 }}
        "#
    ))
    .await;
    for path in [
        "/open/closed?a=1",
        "/open/%63losed?a=1",
        "/open/x/%2e%2e/closed?a=1",
    ] {
        let answer = bridge.client().get(path).await;
        assert_eq!(answer.status, 302, "{path}");
        assert_eq!(answer.header("location"), Some("/log-in?then=a=1"));
    }
    let seen = bridge.client().get("/open/a%2Fb/%7Ec").await.expect(200);
    assert_eq!(
        seen["target"], "/open/a%2Fb/~c",
        "what was matched is what is sent"
    );
}

#[tokio::test]
async fn host_method_and_headers_decide() {
    let (stable, beta) = (Backend::start("stable").await, Backend::start("beta").await);
    let (one, two) = (stable.url(), beta.url());
    let bridge = Bridge::open(&format!(
        r#"
        [gateway.upstream.stable]
        servers = ["{one}"]
        [gateway.upstream.beta]
        servers = ["{two}"]
        [[gateway.route]]
        name = "stable"
        path = "/a/{{id}}"
        methods = ["GET", "POST"]
        upstream = "stable"
        [[gateway.route]]
        name = "beta"
        path = "/a/{{id}}"
        headers = {{ x-beta = "yes" }}
        upstream = "beta"
        keep_host = true
        [[gateway.route]]
        name = "of-host"
        hosts = ["*.example.com"]
        path = "/a/{{id}}"
        upstream = "beta"
        "#
    ))
    .await;
    let ask = |header: &'static str, value: &'static str| {
        bridge.client().get("/a/1").header(header, value)
    };
    assert_eq!(ask("x-beta", "no").await.expect(200)["server"], "stable");
    let seen = ask("x-beta", "yes").await.expect(200);
    assert_eq!(seen["server"], "beta");
    assert_eq!(
        seen["headers"]["host"],
        bridge.client().base().trim_start_matches("http://")
    );
    assert_eq!(
        ask("host", "api.example.com").await.expect(200)["server"],
        "beta"
    );
    let refused = bridge.client().delete("/a/1").await;
    assert_eq!(refused.header("allow"), Some("GET, HEAD, POST"));
    refused.problem(405, "request.method_not_allowed");
}

#[tokio::test]
async fn a_canary_gets_its_share() {
    let (stable, canary) = (
        Backend::start("stable").await,
        Backend::start("canary").await,
    );
    let (one, two) = (stable.url(), canary.url());
    let bridge = Bridge::open(&format!(
        r#"
        [gateway.upstream.stable]
        servers = ["{one}"]
        [gateway.upstream.canary]
        servers = ["{two}"]
        [[gateway.route]]
        name = "all"
        path = "/all"
        upstreams = {{ stable = 90, canary = 10 }}
        "#
    ))
    .await;
    for _ in 0..500 {
        bridge.client().get("/all").await.expect(200);
    }
    let share = canary.requests();
    assert!((20..=90).contains(&share), "{share} of 500");
    assert_eq!(stable.requests() + share, 500);
}

#[tokio::test]
async fn a_whole_site_has_its_home() {
    let backend = Backend::start("site").await;
    let url = backend.url();
    let bridge = Bridge::open(&format!(
        r#"
        [gateway.upstream.site]
        servers = ["{url}"]
        [[gateway.route]]
        name = "site"
        hosts = ["site.example"]
        path = "/{{*rest}}"
        upstream = "site"
        rewrite = "/of/{{rest}}"
        "#
    ))
    .await;
    // The root of all names may be named.
    for (host, path, target) in [
        ("site.example", "/", "/of/"),
        ("site.example.", "/a", "/of/a"),
        ("site.example", "/caf\u{e9}", "/of/caf%C3%A9"),
    ] {
        let client = bridge.client();
        let asked = client
            .get(path.replace('\u{e9}', "%c3%a9"))
            .header("host", host);
        assert_eq!(asked.await.expect(200)["target"], target);
    }
}

#[tokio::test]
async fn a_redirect_leads_where_the_table_says_and_nowhere_else() {
    let bridge = Bridge::open(
        r#"
        [[gateway.route]]
        name = "go"
        path = "/go/{*rest}"
        redirect = { to = "/{rest}" }
        [[gateway.route]]
        name = "old"
        path = "/old/{id}"
        redirect = { to = "/new/{id}?{query}" }
        [[gateway.route]]
        name = "find"
        path = "/find/{id}"
        redirect = { to = "https://find.example/?id={id}&as=guest" }
        "#,
    )
    .await;
    for (path, location) in [
        ("/go/a/b", "/a/b"),
        ("/go//evil.example", "/evil.example"),
        ("/go///evil.example", "/evil.example"),
        ("/go/", "/"),
        ("/old/5", "/new/5"),
        ("/old/5?a=1&b=2", "/new/5?a=1&b=2"),
        (
            "/find/a&as=admin",
            "https://find.example/?id=a%26as%3Dadmin&as=guest",
        ),
    ] {
        let answer = bridge.client().get(path).await;
        assert_eq!(answer.header("location"), Some(location), "{path}");
    }
}
