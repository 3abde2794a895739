//! Requests that are sent at once share a connection, where the table says so.

use std::time::Duration;

use serde_json::json;

use crate::bridge::Bridge;
use crate::streams::{Line, Played};

/// Answers that are put together from three of one server.
async fn bridge(played: &Played) -> Bridge {
    let address = played.address();
    let table = format!(
        r#"
        [gateway.upstream.played]
        servers = ["http://{address}"]
        pipeline = 3
        [[gateway.route]]
        name = "played"
        path = "/played/{{*rest}}"
        upstream = "played"
        [[gateway.compose]]
        name = "all"
        path = "/all"
        part.a = {{ get = "/played/a" }}
        part.b = {{ get = "/played/b" }}
        part.c = {{ get = "/played/c" }}
        "#
    );
    // Each worker has connections of its own.
    let settings = [("gateway.workers", String::from("1"))];
    Bridge::open_with(&table, &[], &settings).await
}

/// Hears a request; its path.
async fn hear(line: &mut Line) -> String {
    let head = line.hear("\r\n\r\n").await;
    head.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A whole answer, with these fields too.
fn answer(fields: &str, path: &str) -> String {
    let body = json!({ "path": path }).to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{fields}content-length: {length}\r\n\r\n{body}"
    )
}

/// A connection that the gateway keeps.
async fn kept(played: &Played, bridge: &Bridge) -> Line {
    let serving = async {
        let mut line = played.connection().await;
        let path = hear(&mut line).await;
        line.say(&answer("", &path)).await;
        line
    };
    let (first, line) = tokio::join!(async { bridge.client().get("/played/x").await }, serving);
    first.expect(200);
    line
}

/// How many have shared a connection, and how many of these were sent again.
async fn told(bridge: &Bridge) -> (u64, u64) {
    let states = bridge.admin().get("/gateway/upstreams").await.expect(200);
    let server = &states["played"][0];
    let told = |name: &str| server[name].as_u64().expect("a number");
    (told("pipelined"), told("resent"))
}

/// The same, of the upstream, as its metrics have it.
async fn counted(bridge: &Bridge, outcome: &str) -> u64 {
    let text = bridge.admin().get("/metrics").await;
    let text = String::from_utf8_lossy(&text.bytes).into_owned();
    let labels = format!("{{upstream=\"played\",outcome=\"{outcome}\"}}");
    let name = format!("rialto_upstream_requests_total{labels} ");
    let mut lines = text.lines();
    let count = lines.find_map(|line| line.strip_prefix(&name)?.parse().ok());
    count.unwrap_or_default()
}

#[tokio::test]
async fn parts_of_an_answer_share_a_connection() {
    let played = Played::open().await;
    let bridge = bridge(&played).await;
    let mut line = kept(&played, &bridge).await;
    let serving = async {
        // None is answered before all were asked for.
        let mut answers = String::new();
        for _ in 0..3 {
            answers += &answer("", &hear(&mut line).await);
        }
        line.say(&answers).await;
    };
    // Who finds the server too slow comes again.
    let again = async {
        loop {
            let mut line = played.connection().await;
            let path = hear(&mut line).await;
            line.say(&answer("", &path)).await;
        }
    };
    let asking = async { tokio::join!(async { bridge.client().get("/all").await }, serving).0 };
    let all = tokio::select! {
        all = asking => all,
        () = again => unreachable!("serves without an end"),
    };
    let document = all.expect(200);
    for part in ["a", "b", "c"] {
        assert_eq!(document[part]["path"], format!("/played/{part}"));
    }
    assert_eq!(document["missing"], json!([]));
    assert_eq!(told(&bridge).await.0, 2);
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_is_asked_again() {
    let played = Played::open().await;
    let bridge = bridge(&played).await;
    let mut line = kept(&played, &bridge).await;
    let serving = async {
        loop {
            let path = hear(&mut line).await;
            line.say(&answer("connection: close\r\n", &path)).await;
            line = played.connection().await;
        }
    };
    let all = tokio::select! {
        all = async { bridge.client().get("/all").await } => all,
        () = serving => unreachable!("serves without an end"),
    };
    let document = all.expect(200);
    assert_eq!(document["missing"], json!([]));
    assert_eq!(document["c"]["path"], "/played/c");
    assert_eq!(told(&bridge).await, (2, 2));
    // The metrics have it by and by, and once.
    for outcome in ["pipelined", "resent"] {
        let counting = async { while counted(&bridge, outcome).await != 2 {} };
        let in_time = tokio::time::timeout(Duration::from_secs(20), counting).await;
        assert!(in_time.is_ok(), "{outcome}");
    }
}
