//! Requests and responses that are changed on their way.

use serde_json::json;
use testkit::Backend;

use crate::bridge::Bridge;

/// A route `/a/{id}` to `backend`, with `more` in its table.
async fn bridge(backend: &Backend, more: &str) -> Bridge {
    let url = backend.url();
    let table = format!(
        r#"
        [gateway.upstream.a]
        servers = ["{url}"]
        [[gateway.route]]
        name = "a"
        path = "/a/{{id}}"
        upstream = "a"
        {more}
        "#
    );
    Bridge::open(&table).await
}

#[tokio::test]
async fn headers_and_the_query_of_a_request_change_and_nothing_else() {
    let backend = Backend::start("a").await;
    let more = r#"
        [gateway.route.request]
        headers = { set = { x-id = "{{ request.captures.id }}", x-agent = "{{ request.headers.x_was }}!" }, remove = ["x-gone"], rename = { x-old = "x-new" }, add = { x-many = "2" } }
        query = { set = { v = "{{ request.method }}" }, remove = ["secret"], rename = { q = "search" } }
    "#;
    let bridge = bridge(&backend, more).await;
    let seen = bridge
        .client()
        .post("/a/17?secret=1&q=%41&keep=a%20b", json!({"n": 1.50}))
        .header("x-was", "me")
        .header("x-gone", "1")
        .header("x-old", "o")
        .header("x-many", "1")
        // What a client says of its connection takes nothing out that the route has set.
        .header("connection", "x-id, x-many")
        .await
        .expect(200);
    assert_eq!(seen["target"], "/a/17?search=%41&keep=a%20b&v=POST");
    assert_eq!(seen["body"], r#"{"n":1.5}"#);
    let headers = &seen["headers"];
    assert_eq!(headers["x-id"], "17");
    assert_eq!(headers["x-agent"], "me!");
    assert_eq!(headers["x-new"], "o");
    assert_eq!(headers["x-many"], "2");
    assert!(headers["x-gone"].is_null() && headers["x-old"].is_null());
}

#[tokio::test]
async fn a_json_body_is_edited_and_its_length_is_right() {
    let backend = Backend::start("a").await;
    let more = r#"
        [gateway.route.request]
        headers = { set = { x-first = "{{ body.lines[0].sku }}" } }
        json = [
            { rename = "/lines", to = "/items" },
            { remove = "/secret" },
            { set = "/count", value = "{{ body.lines | length }}" },
            { set = "/by/whom", value = "number {{ request.captures.id }}" },
        ]
    "#;
    let bridge = bridge(&backend, more).await;
    let body = json!({"lines": [{"sku": "x\"y"}], "secret": 1, "z": 1});
    let answer = bridge
        .client()
        .post("/a/7", body)
        .header("content-digest", "sha-256=:AA==:")
        .await;
    let seen = answer.expect(200);
    let body = r#"{"z":1,"items":[{"sku":"x\"y"}],"count":1,"by":{"whom":"number 7"}}"#;
    assert_eq!(seen["body"], body);
    assert_eq!(seen["headers"]["content-length"], body.len().to_string());
    assert_eq!(seen["headers"]["x-first"], "x\"y");
    assert!(seen["headers"]["content-digest"].is_null());
}

#[tokio::test]
async fn a_value_with_a_line_break_never_becomes_a_header() {
    let backend = Backend::start("a").await;
    let more = r#"
        [gateway.route.request]
        headers = { set = { x-name = "{{ body.name }}" } }
    "#;
    let bridge = bridge(&backend, more).await;
    bridge
        .client()
        .post("/a/1", json!({"name": "a\r\nx-admin: 1"}))
        .await
        .problem(400, "request.malformed");
    bridge
        .client()
        .post("/a/1", json!({"other": 1}))
        .await
        .problem(400, "request.malformed");
    assert_eq!(backend.requests(), 0);
    bridge
        .client()
        .post("/a/1", json!({"name": "b"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_or_passed() {
    let backend = Backend::start("a").await;
    let more = |how: &str| {
        format!(
            r#"
            [gateway.route.request]
            json = [{{ remove = "/x" }}]
            limit = "64B"
            on_mismatch = "{how}"
            "#
        )
    };
    let long = json!({"x": "y".repeat(100)});
    let strict = bridge(&backend, &more("refuse")).await;
    let post = |bridge: &Bridge| bridge.client().post("/a/1", long.clone());
    post(&strict).await.problem(413, "request.too_large");
    let encoded = strict.client().post("/a/1", json!({"x": 1}));
    encoded
        .header("content-encoding", "gzip")
        .await
        .problem(415, "request.unsupported_media_type");
    assert_eq!(backend.requests(), 0);
    strict.client().get("/a/1").await.expect(200);

    let mild = bridge(&backend, &more("pass")).await;
    let seen = post(&mild).await.expect(200);
    assert_eq!(seen["body"], long.to_string());
}

#[tokio::test]
async fn an_answer_changes_before_the_client_sees_it() {
    let backend = Backend::start("a").await;
    let more = r#"
        [gateway.route.response]
        status = { 404 = 200 }
        headers = { set = { x-status = "{{ response.status }}" }, remove = ["content-type"] }
        json = [
            { move = "/headers/accept-encoding", to = "/asked" },
            { remove = "/headers" },
            { set = "/from", value = "{{ body.server }} for {{ request.path }}" },
        ]
    "#;
    let bridge = bridge(&backend, more).await;
    backend.answers_with(404);
    let answer = bridge
        .client()
        .get("/a/1")
        .header("accept-encoding", "gzip")
        .await;
    assert_eq!(answer.header("x-status"), Some("404"));
    assert_eq!(answer.header("content-type"), None);
    let seen = answer.expect(200);
    assert_eq!(
        seen["asked"], "identity",
        "what is compressed cannot be changed"
    );
    assert_eq!(seen["from"], "a for /a/1");
    assert!(seen["headers"].is_null());
}

#[tokio::test]
async fn a_new_body_and_what_the_gateway_itself_refuses() {
    let backend = Backend::start("a").await;
    let more = r#"
        [gateway.route.response]
        body = '{"path": {{ request.path }}, "server": {{ body.server }}, "ok": {{ response.status == 200 }}}'
    "#;
    let bridge = bridge(&backend, more).await;
    let seen = bridge.client().get("/a/%22,%22x%22:%22").await.expect(200);
    assert_eq!(seen["path"], "/a/%22,%22x%22:%22");
    assert_eq!(seen["server"], "a");
    assert_eq!(seen["ok"], true);
    drop(backend);
    let answer = bridge.client().get("/a/1").await;
    assert!(
        answer.status >= 500,
        "the problem is as it was: {}",
        answer.status
    );
    assert!(answer.header("content-type") == Some("application/problem+json"));
}

#[tokio::test]
async fn mistakes_in_a_table_are_told_with_their_lines() {
    let backend = Backend::start("a").await;
    let bridge = bridge(&backend, "").await;
    let url = backend.url();
    let table = format!(
        r#"[gateway.upstream.a]
servers = ["{url}"]
[[gateway.route]]
name = "a"
path = "/a/{{id}}"
upstream = "a"
[gateway.route.request]
headers.set.x-a = "{{{{ request.captures.no }}}}"
headers.remove = ["content-length"]
json = [
  {{ remove = "x" }},
  {{ set = "/x" }},
  {{ move = "/a", to = "/a/b" }},
]
[gateway.route.response]
status = {{ 404 = 99 }}
body = '{{"a": "{{{{ body.a }}}}"}}'
"#
    );
    bridge.write(&table);
    let told = bridge.admin().post("/gateway/reload", ()).await;
    assert_ne!(told.status, 200);
    let told = String::from_utf8_lossy(&told.bytes).into_owned();
    for line in [8, 9, 11, 12, 13, 16, 17] {
        assert!(
            told.contains(&format!("routes.toml:{line}:")),
            "{line}: {told}"
        );
    }
}
