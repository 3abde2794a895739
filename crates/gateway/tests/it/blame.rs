//! What clients do wrong is no fault of the servers behind, and what these say wrong is not passed on.

use std::time::{Duration, Instant};

use testkit::Backend;

use crate::bridge::Bridge;
use crate::streams::{Line, Played};
use crate::upstreams;

#[tokio::test]
async fn who_sends_slowly_ejects_nobody() {
    for protocol in ["", "http2 = true"] {
        who_sends_slowly(protocol).await;
    }
}

async fn who_sends_slowly(protocol: &str) {
    let backend = Backend::start("one").await;
    let table = upstreams::table(&[&backend], protocol) + "deadline = \"100ms\"\n";
    let bridge = Bridge::open(&table).await;
    let mut slow = Vec::new();
    for _ in 0..7 {
        let mut line = Line::to(&bridge).await;
        line.say("POST /all/a HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\n\r\nabc")
            .await;
        slow.push(line);
    }
    for mut line in slow {
        let head = line.hear("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    }
    bridge.client().get("/all/a").await.expect(200);
    assert_eq!(upstreams::state(&bridge, &backend).await["ejected"], false);
}

#[tokio::test]
async fn who_sends_much_has_the_time_that_it_takes() {
    for protocol in ["", "http2 = true"] {
        let backend = Backend::start("one").await;
        let table = upstreams::table(&[&backend], protocol) + "retries = 0\n";
        let deadline = Duration::from_millis(500);
        let settings = [("http.deadline", String::from("500ms"))];
        let bridge = Bridge::open_with(&table, &[], &settings).await;
        let mut line = Line::to(&bridge).await;
        line.say("POST /all/a HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        let (begun, part) = (Instant::now(), "x".repeat(1 << 10));
        while begun.elapsed() < 3 * deadline {
            line.say(&format!("{:x}\r\n{part}\r\n", part.len())).await;
            // Meanwhile others are answered, which takes a moment.
            bridge.client().get("/all/b").await.expect(200);
        }
        line.say("0\r\n\r\n").await;
        let head = line.hear("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{protocol}: {head}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_the_clients() {
    for protocol in ["", "http2 = true"] {
        whose_body_is_none(protocol).await;
    }
}

async fn whose_body_is_none(protocol: &str) {
    let backend = Backend::start("one").await;
    let bridge = Bridge::open(&upstreams::table(&[&backend], protocol)).await;
    for chunk in ["zz\r\nabc\r\n", "0x3\r\nabc\r\n", "3\nabc\r\n"] {
        let mut line = Line::to(&bridge).await;
        line.say("POST /all/a HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        line.say(chunk).await;
        let answer = line.hear("}").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("request.malformed"), "{answer}");
    }
}

#[tokio::test]
async fn no_connection_becomes_one_of_http2_behind_the_gateway() {
    let played = Played::open().await;
    let bridge = played.bridge_with("").await;
    let mut line = Line::to(&bridge).await;
    line.say(
        "GET /played/a HTTP/1.1\r\nhost: shop\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\
         http2-settings: AAMAAABkAAQAAP__\r\n\r\n",
    )
    .await;
    let mut server = played.connection().await;
    let head = server.hear("\r\n\r\n").await;
    assert!(
        !head.contains("upgrade") && !head.contains("http2-settings"),
        "{head}"
    );
    server
        .say("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
        .await;
    let head = line.hear("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
}

#[tokio::test]
async fn no_length_is_told_of_what_nobody_has_measured() {
    let played = Played::open().await;
    let bridge = played.bridge_with("").await;
    for (method, answer) in [
        ("HEAD", "200 OK\r\ntransfer-encoding: chunked"),
        ("GET", "204 No Content\r\ncontent-length: 2"),
    ] {
        let mut line = Line::to(&bridge).await;
        line.say(&format!(
            "{method} /played/a HTTP/1.1\r\nhost: shop\r\n\r\n"
        ))
        .await;
        let mut server = played.connection().await;
        server.hear("\r\n\r\n").await;
        server
            .say(&format!("HTTP/1.1 {answer}\r\nconnection: close\r\n\r\n"))
            .await;
        let head = line.hear("\r\n\r\n").await;
        assert!(!head.contains("content-length"), "{head}");
    }
}

#[tokio::test]
async fn nobody_says_behind_a_body_who_he_is() {
    let played = Played::open().await;
    let bridge = played.bridge_with("").await;
    let mut line = Line::to(&bridge).await;
    line.say(
        "POST /played/a HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n\
         0\r\nx-user-id: root\r\nrialto-client: x\r\nx-forwarded-for: 10.0.0.1\r\nx-real-ip: 1\r\n\
         content-length: 5\r\nsum: 1\r\n\r\n",
    )
    .await;
    let mut server = played.connection().await;
    server.hear("\r\n\r\n").await;
    assert_eq!(server.hear("\r\n\r\n").await, "0\r\nsum: 1\r\n\r\n");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_asked_once_more_though_it_is_the_only_one() {
    let played = Played::open().await;
    let bridge = played.bridge_with("").await;
    let mut line = Line::to(&bridge).await;
    line.say("GET /played/a HTTP/1.1\r\nhost: shop\r\n\r\n")
        .await;
    played.connection().await.hear("\r\n\r\n").await;
    let mut server = played.connection().await;
    server.hear("\r\n\r\n").await;
    server
        .say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    let answer = line.hear("ok").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_request_that_is_repeated_is_one_failure() {
    // Nobody is there.
    let table = r#"
        [gateway.upstream.all]
        servers = ["http://127.0.0.1:1"]
        [[gateway.route]]
        name = "all"
        path = "/all"
        upstream = "all"
    "#;
    let bridge = Bridge::open(table).await;
    for ejected in [false, false, false, false, true] {
        let asked = bridge.client().get("/all").await;
        asked.problem(503, "server.unavailable");
        let states = bridge.admin().get("/gateway/upstreams").await.expect(200);
        assert_eq!(states["all"][0]["ejected"], ejected);
    }
}
