//! Routes that bound the bodies of requests, and how many are answered at once.

use futures_util::FutureExt;
use testkit::{Answer, Backend};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::bridge::Bridge;
use crate::streams::Line;

async fn bridge(url: &str, more: &str) -> Bridge {
    Bridge::open(&table(url, more)).await
}

fn table(url: &str, more: &str) -> String {
    format!(
        r#"
        [gateway.upstream.one]
        servers = ["{url}"]
        [[gateway.route]]
        name = "one"
        path = "/one/{{*rest}}"
        upstream = "one"
        {more}
        [[gateway.route]]
        name = "free"
        path = "/free/{{*rest}}"
        upstream = "one"
        "#
    )
}

#[tokio::test]
async fn a_body_that_tells_it_is_too_large_reaches_nobody() {
    let backend = Backend::start("one").await;
    let bridge = bridge(&backend.url(), "body_limit = \"1 KiB\"").await;
    let ask = |path: &str, length: usize| {
        let asked = bridge.client().request(http::Method::POST, path);
        asked.bytes(vec![b'x'; length])
    };
    ask("/one/a", 1024).await.expect(200);
    let problem = ask("/one/a", 1025).await.problem(413, "request.too_large");
    assert_eq!(problem["detail"], "the body is larger than 1024 bytes");
    assert_eq!(backend.requests(), 1);
    ask("/free/a", 1025).await.expect(200);
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_cut_and_its_exchange_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let bridge = bridge(&format!("http://{address}"), "body_limit = \"8B\"").await;
    let mut client = Line::to(&bridge).await;
    client
        .say(
            "POST /one/a HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n\
             6\r\nsecret\r\n",
        )
        .await;
    let (mut server, _) = listener.accept().await.expect("the gateway connects");
    let mut seen = Vec::new();
    while !seen.ends_with(b"6\r\nsecret\r\n") {
        let read = server.read_buf(&mut seen).await.expect("still open");
        assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
    }
    client.say("3\r\nend\r\n0\r\n\r\n").await;
    let head = client.hear("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    seen.clear();
    // Closed, without the end that would make it a whole request.
    let closed = server.read_to_end(&mut seen).await;
    assert!(closed.is_err() || seen.is_empty(), "{seen:?}");
}

/// Asks for `/one/a` until the server has the request, which it does not answer yet.
async fn ask(bridge: &Bridge, server: &Backend) -> impl Future<Output = Answer> + use<> {
    let before = server.requests();
    let mut asking = bridge.client().get("/one/a").into_future();
    while server.requests() == before {
        assert!((&mut asking).now_or_never().is_none(), "nobody answers");
        tokio::task::yield_now().await;
    }
    asking
}

#[tokio::test]
async fn a_route_answers_so_many_at_once() {
    let backend = Backend::start("one").await;
    backend.falls_silent();
    let bridge = bridge(&backend.url(), "concurrency = 2").await;
    let first = ask(&bridge, &backend).await;
    let second = ask(&bridge, &backend).await;
    let refused = bridge.client().get("/one/a").await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.problem(503, "server.overloaded");

    // A table that says the same of the route does not forget who is there.
    assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 204);
    let refused = bridge.client().get("/one/a").await;
    refused.problem(503, "server.overloaded");
    assert_eq!(backend.requests(), 2);

    backend.speaks_again();
    bridge.client().get("/free/a").await.expect(200);
    first.await.expect(200);
    second.await.expect(200);
    bridge.client().get("/one/a").await.expect(200);
}

#[tokio::test]
async fn a_few_wait_for_their_turn() {
    let backend = Backend::start("one").await;
    backend.falls_silent();
    let queue = "concurrency = { max = 1, queue = 1, wait = \"4s\" }";
    let bridge = bridge(&backend.url(), queue).await;
    let first = ask(&bridge, &backend).await;
    let begun = std::time::Instant::now();
    // One of the two waits, the other one has no place to wait at.
    let mut second = bridge.client().get("/one/a").into_future();
    let mut third = bridge.client().get("/one/a").into_future();
    let (refused, waits) = tokio::select! {
        refused = &mut second => (refused, third),
        refused = &mut third => (refused, second),
    };
    refused.problem(503, "server.overloaded");
    assert!(begun.elapsed().as_secs() < 3, "it did not wait");
    assert_eq!(backend.requests(), 1);
    backend.speaks_again();
    first.await.expect(200);
    waits.await.expect(200);
}

#[tokio::test]
async fn bounds_that_make_no_sense_are_told_with_their_line() {
    let bridge = bridge("http://127.0.0.1:1", "").await;
    for (more, told) in [
        ("concurrency = 0", "would refuse everything"),
        ("body_limit = \"many\"", "expected a size such as"),
        (
            "concurrency = { max = 1, patience = \"1s\" }",
            "unknown field `patience`",
        ),
    ] {
        bridge.write(&table("http://127.0.0.1:1", more));
        let refused = bridge.admin().post("/gateway/reload", ()).await;
        let text = String::from_utf8_lossy(&refused.bytes).into_owned();
        assert!(refused.status == 422 && text.contains(told), "{text}");
    }
}
