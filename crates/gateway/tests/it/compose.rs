//! Answers that are put together from several.

use serde_json::json;
use testkit::{Backend, TestShop};

use crate::bridge::Bridge;
use crate::streams::Played;

/// Two upstreams behind `/a/...` and `/b/...`, and what is put together from them.
async fn bridge(a: &Backend, b: &Backend, compose: &str) -> Bridge {
    let (one, two) = (a.url(), b.url());
    Bridge::open(&format!(
        r#"
        [gateway.upstream.a]
        servers = ["{one}"]
        [gateway.upstream.b]
        servers = ["{two}"]
        [[gateway.route]]
        name = "a"
        path = "/a/{{*rest}}"
        upstream = "a"
        [[gateway.route]]
        name = "b"
        path = "/b/{{*rest}}"
        upstream = "b"
        {compose}
        "#
    ))
    .await
}

#[tokio::test]
async fn parts_are_put_together_and_those_that_are_missing_are_named() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let bridge = bridge(
        &a,
        &b,
        r#"
        [[gateway.compose]]
        name = "all"
        path = "/all/{id}"
        part.one = { get = "/a/{id}?{query}", required = true }
        part.two = { get = "/b/{id}", fallback = '{"items":[]}' }
        part.shop = { get = "/v1/products?limit=1" }
        "#,
    )
    .await;
    let ask = || {
        bridge
            .client()
            .get("/all/7?x=1")
            .header("authorization", "Basic YTpi")
            .header("x-other", "1")
    };
    let answer = ask().await;
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    let document = answer.expect(200);
    assert_eq!(document["one"]["target"], "/a/7?x=1");
    assert_eq!(document["one"]["headers"]["authorization"], "Basic YTpi");
    assert!(
        document["one"]["headers"]["x-other"].is_null(),
        "only what is named is passed on"
    );
    assert_eq!(document["one"]["headers"]["x-forwarded-for"], "127.0.0.1");
    assert_eq!(document["two"]["server"], "b");
    // The shop does not know this way to log in.
    assert_eq!(document["missing"], json!(["shop"]));
    assert!(document["shop"].is_null());

    b.answers_with(500);
    let document = ask().await.expect(200);
    assert_eq!(document["two"], json!({"items": []}));
    assert_eq!(document["missing"], json!(["shop", "two"]));

    a.answers_with(404);
    let refused = ask().await;
    assert_eq!(
        (refused.status, &refused.body["server"]),
        (404, &json!("a")),
        "as it came"
    );
}

#[tokio::test]
async fn a_part_is_measured_as_its_route_is_and_is_not_put_together_itself() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let bridge = bridge(
        &a,
        &b,
        r#"
        [[gateway.compose]]
        name = "outer"
        path = "/outer"
        part.one = { get = "/a/x" }
        part.two = { get = "/inner" }
        [[gateway.compose]]
        name = "inner"
        path = "/inner"
        part.one = { get = "/b/x" }
        "#,
    )
    .await;
    let document = bridge.client().get("/outer").await.expect(200);
    assert_eq!(document["missing"], json!(["two"]));
    assert_eq!((a.requests(), b.requests()), (1, 0));
    let metrics = bridge.admin().get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.bytes).into_owned();
    for (route, status) in [("outer", 200), ("a", 200), ("inner", 404)] {
        let labels = format!("route=\"{route}\",method=\"*\",status=\"{status}\"}} 1");
        assert!(metrics.contains(&labels), "{labels}");
    }
}

#[tokio::test]
async fn a_part_that_needs_another_comes_after_it() {
    let (a, b) = (Backend::start("a b&c").await, Backend::start("b").await);
    let bridge = bridge(
        &a,
        &b,
        r#"
        [[gateway.compose]]
        name = "all"
        path = "/all"
        part.first = { get = "/b/{second.server}/{second.headers.host}" }
        part.second = { get = "/a/x", pass = [] }
        part.third = { get = "/b/{second.nothing}" }
        "#,
    )
    .await;
    let document = bridge.client().get("/all").await.expect(200);
    let host = a.address().to_string().replace(':', "%3A");
    assert_eq!(document["first"]["target"], format!("/b/a%20b%26c/{host}"));
    assert_eq!(document["missing"], json!(["third"]));
    assert_eq!(
        (a.requests(), b.requests()),
        (1, 1),
        "each is asked for once"
    );
}

#[tokio::test]
async fn a_new_table_does_not_concern_an_answer_that_was_begun() {
    let played = Played::open().await;
    let compose = r#"
        [[gateway.compose]]
        name = "all"
        path = "/all"
        part.first = { get = "/played/1" }
        part.then = { get = "/played/{first.next}" }
        "#;
    let bridge = played.bridge_with(compose).await;
    let ask = async { bridge.client().get("/all").await };
    let play = async {
        let mut line = played.connection().await;
        for (number, answer) in [("1", r#"{"next":2}"#), ("2", r#"{"is":2}"#)] {
            let head = line.hear("\r\n\r\n").await;
            assert!(
                head.starts_with(&format!("GET /played/{number} ")),
                "{head}"
            );
            bridge.write("");
            assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
            let length = answer.len();
            line.say(&format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"
            ))
            .await;
        }
    };
    let (answer, ()) = tokio::join!(ask, play);
    let document = answer.expect(200);
    assert_eq!(document["then"], json!({"is": 2}));
    assert_eq!(document["missing"], json!([]));
    let gone = bridge.client().get("/all").await;
    gone.problem(404, "request.no_route");
}

#[tokio::test]
async fn a_part_that_is_no_document_is_missing() {
    let played = Played::open().await;
    let bridge = played
        .bridge_with(
            r#"
            [[gateway.compose]]
            name = "all"
            path = "/all"
            part.one = { get = "/played/x", limit = "16B" }
            "#,
        )
        .await;
    let whole = |body: &str| format!("content-length: {}\r\n\r\n{body}", body.len());
    let chunk = |body: &str| format!("{:x}\r\n{body}\r\n", body.len());
    let chunked = |body: &str| format!("transfer-encoding: chunked\r\n\r\n{}", chunk(body));
    let (document, longer) = (r#"{"a":"5678901"} "#, r#"{"a":"56789012"} "#);
    for (answer, there) in [
        (whole(document), true),
        (chunked(document) + "0\r\n\r\n", true),
        (whole(longer), false),
        (chunked(longer) + "0\r\n\r\n", false),
        (whole(r#"{"a":"5678901"]"#), false),
        (chunked(r#"{"a":1"#) + "0\r\n\r\n", false),
        (chunked(r#"{"a":1}"#), false),
        (whole(""), false),
    ] {
        let play = async {
            let mut line = played.connection().await;
            line.hear("\r\n\r\n").await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            line.say(&format!("{head}{answer}")).await;
        };
        let (answered, ()) = tokio::join!(bridge.client().get("/all"), play);
        let missing = answered.expect(200)["missing"].clone();
        let expected = if there { json!([]) } else { json!(["one"]) };
        assert_eq!(missing, expected, "{answer}");
    }
}

#[tokio::test]
async fn a_part_that_is_late_is_missing() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let compose = |required: bool| {
        format!(
            r#"
            [[gateway.compose]]
            name = "all"
            path = "/all"
            part.one = {{ get = "/a/x" }}
            part.two = {{ get = "/b/x", deadline = "20ms", required = {required} }}
            "#
        )
    };
    b.falls_silent();
    let lenient = bridge(&a, &b, &compose(false)).await;
    let document = lenient.client().get("/all").await.expect(200);
    assert_eq!(document["missing"], json!(["two"]));
    let strict = bridge(&a, &b, &compose(true)).await;
    strict
        .client()
        .get("/all")
        .await
        .problem(504, "server.deadline_exceeded");
}

#[tokio::test]
async fn a_part_that_is_the_same_for_everybody_is_kept_for_a_while() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let compose = r#"
        [[gateway.compose]]
        name = "all"
        path = "/all/{id}"
        part.kept = { get = "/a/{id}", pass = [], cache = "1h" }
        part.fresh = { get = "/b/x" }
        "#;
    let bridge = bridge(&a, &b, compose).await;
    for id in [1, 2, 1, 1, 2] {
        let document = bridge.client().get(format!("/all/{id}")).await.expect(200);
        assert_eq!(document["kept"]["target"], format!("/a/{id}"));
    }
    assert_eq!((a.requests(), b.requests()), (2, 5));
    // Who answers GET answers HEAD.
    let head = bridge.client().request(http::Method::HEAD, "/all/1").await;
    assert_eq!((head.status, &*head.bytes), (200, &b""[..]));
    // For another host it may be another document.
    let elsewhere = bridge
        .client()
        .get("/all/1")
        .header("host", "other.example");
    let document = elsewhere.await.expect(200);
    assert_eq!(
        document["kept"]["headers"]["x-forwarded-host"],
        "other.example"
    );
    assert_eq!(a.requests(), 3);
}

#[tokio::test]
async fn what_cannot_be_put_together_is_refused() {
    let (a, b) = (Backend::start("a").await, Backend::start("b").await);
    let whole = bridge(&a, &b, "").await;
    let before = std::fs::read_to_string(whole.file("routes.toml")).expect("read");
    whole.write(&format!(
        r#"{before}
        [[gateway.compose]]
        name = "all"
        path = "/all"
        part.missing = {{ get = "/a/x" }}
        part.one = {{ get = "/a/{{two.id}}" }}
        part.two = {{ get = "/a/{{one.id}}" }}
        part.three = {{ get = "/a/{{four}}", cache = "1s" }}
        part.five = {{ get = "a", fallback = "none" }}
        "#
    ));
    let refused = whole.admin().post("/gateway/reload", ()).await;
    let text = String::from_utf8_lossy(&refused.bytes).into_owned();
    for told in [
        "`missing` is no name of a part",
        "needs itself",
        "`{four}` is no capture",
        "a document that is kept cannot depend on who asks",
        "begins with `/`",
        "the fallback is no JSON",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[tokio::test]
async fn the_home_of_the_demo_shop_is_one_request() {
    let shop = TestShop::builder()
        .set("gateway.routes", "demo:")
        .start()
        .await;
    shop.product("mug").stock(5).create().await;
    let news = json!({"text": "The mugs are here."});
    shop.admin().await.post("/v1/posts", news).await.expect(201);
    let guest = shop.client().get("/v1/home").await.expect(200);
    assert_eq!(guest["missing"], json!(["cart", "customer"]));
    assert_eq!(guest["recommended"]["items"][0]["slug"], "mug");
    assert_eq!(guest["feed"]["items"][0]["text"], "The mugs are here.");
    let ada = shop.customer("ada").await;
    let cart = ada
        .client
        .post("/v1/carts", json!({"currency": "EUR"}))
        .await
        .expect(201);
    let home = ada.client.get("/v1/home").await.expect(200);
    assert_eq!(home["missing"], json!([]));
    assert_eq!(home["customer"]["email"], "ada@example.com");
    assert_eq!(home["cart"]["id"], cart["id"]);
    // It is theirs: it tells what they like.
    assert_eq!(home["feed"]["items"][0]["liked"], false);
}
