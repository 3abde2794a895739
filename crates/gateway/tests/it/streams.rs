//! What goes through the gateway without being held: streams both ways, other protocols.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::bridge::Bridge;

/// A server that is played by the test: it says and hears bytes.
pub(crate) struct Played(TcpListener);

impl Played {
    pub(crate) async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    async fn bridge(&self) -> Bridge {
        self.bridge_with("").await
    }

    /// With `more` keys of its route.
    pub(crate) async fn bridge_with(&self, more: &str) -> Bridge {
        self.bridge_by("", more).await
    }

    /// With more keys of its upstream, and of its route.
    async fn bridge_by(&self, upstream: &str, route: &str) -> Bridge {
        let address = self.address();
        Bridge::open(&format!(
            r#"
            [gateway.upstream.played]
            servers = ["http://{address}"]
            {upstream}
            [[gateway.route]]
            name = "played"
            path = "/played/{{*rest}}"
            upstream = "played"
            {route}
            "#
        ))
        .await
    }

    /// Begins an answer that has no end: the client, and the server.
    async fn events(&self, bridge: &Bridge) -> (Line, Line) {
        let mut client = Line::to(bridge).await;
        client
            .say("GET /played/events HTTP/1.1\r\nhost: shop\r\naccept-encoding: gzip\r\n\r\n")
            .await;
        let mut server = self.connection().await;
        server.hear("\r\n\r\n").await;
        server
            .say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        client.hear("\r\n\r\n").await;
        (client, server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    pub(crate) async fn connection(&self) -> Line {
        Line(self.0.accept().await.expect("somebody connects").0)
    }
}

pub(crate) struct Line(TcpStream);

impl Line {
    pub(crate) async fn to(bridge: &Bridge) -> Self {
        let address: SocketAddr = bridge.client().base()["http://".len()..]
            .parse()
            .expect("an address");
        Self(TcpStream::connect(address).await.expect("connects"))
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("written");
    }

    /// Hears until `end` was said.
    pub(crate) async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            let byte = self.0.read_u8().await;
            heard.push(
                byte.unwrap_or_else(|_| panic!("closed after {}", String::from_utf8_lossy(&heard))),
            );
        }
        String::from_utf8(heard).expect("a text")
    }
}

#[tokio::test]
async fn a_server_hears_a_host_though_the_client_names_none() {
    let played = Played::open().await;
    let bridge = played.bridge_with("keep_host = true\nretries = 0").await;
    for (client, heard) in [
        ("HTTP/1.0\r\n\r\n", played.address().to_string()),
        ("HTTP/1.1\r\nhost: shop\r\n\r\n", String::from("shop")),
    ] {
        let mut line = Line::to(&bridge).await;
        line.say(&format!("GET /played/a {client}")).await;
        let head = played.connection().await.hear("\r\n\r\n").await;
        assert!(head.contains(&format!("\r\nhost: {heard}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn nothing_that_a_route_sets_speaks_for_the_gateway() {
    let played = Played::open().await;
    let changes = r#"
        [gateway.route.request]
        headers = { rename = { x-client = "x-forwarded-for" }, set = { x-forwarded-host = "x", traceparent = "x", x-request-id = "x" } }
    "#;
    let bridge = played.bridge_with(changes).await;
    let mut line = Line::to(&bridge).await;
    line.say("GET /played/a HTTP/1.1\r\nhost: shop\r\nx-client: 10.0.0.1\r\n\r\n")
        .await;
    let head = played.connection().await.hear("\r\n\r\n").await;
    let said = |name: &str| head.matches(&format!("\r\n{name}: ")).count();
    for name in [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "traceparent",
        "x-request-id",
    ] {
        assert_eq!(said(name), 1, "{name}: {head}");
    }
    assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
    assert!(head.contains("x-forwarded-host: shop\r\n"), "{head}");
}

#[tokio::test]
async fn a_websocket_goes_through() {
    let played = Played::open().await;
    let bridge = played.bridge().await;
    let mut client = Line::to(&bridge).await;
    client
        .say(
            "GET /played/ws HTTP/1.1\r\nhost: shop\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
        )
        .await;
    let mut server = played.connection().await;
    let head = server.hear("\r\n\r\n").await;
    assert!(head.starts_with("GET /played/ws HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains("connection: upgrade\r\nupgrade: websocket\r\n"),
        "{head}"
    );
    assert!(
        head.contains("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
        "{head}"
    );
    server
        .say("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello")
        .await;
    let head = client.hear("hello").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.say("and back").await;
    server.hear("and back").await;
    server.say("again").await;
    client.hear("again").await;
    drop(client);
    assert_eq!(server.0.read(&mut [0; 8]).await.expect("closed"), 0);
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let played = Played::open().await;
    let bridge = played.bridge().await;
    let (mut client, mut server) = played.events(&bridge).await;
    for number in 0..3 {
        let event = format!("data: {number}\n\n");
        server
            .say(&format!("{:x}\r\n{event}\r\n", event.len()))
            .await;
        client.hear(&event).await;
    }
}

#[tokio::test]
async fn who_leaves_while_nothing_happens_takes_the_answer_along() {
    let played = Played::open().await;
    let bridge = played.bridge().await;
    let (client, mut server) = played.events(&bridge).await;
    drop(client);
    // It has nothing to say, and hears nevertheless that nobody listens.
    let mut heard = [0; 8];
    let closed = tokio::time::timeout(Duration::from_secs(10), server.0.read(&mut heard)).await;
    assert_eq!(closed.expect("soon").expect("closed"), 0);
}

#[tokio::test]
async fn a_server_that_falls_silent_within_an_answer_is_not_waited_for() {
    let played = Played::open().await;
    let bridge = played.bridge_by("read_timeout = \"100ms\"", "").await;
    let mut client = Line::to(&bridge).await;
    client
        .say("GET /played/a HTTP/1.1\r\nhost: shop\r\n\r\n")
        .await;
    let mut server = played.connection().await;
    server.hear("\r\n\r\n").await;
    server
        .say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst")
        .await;
    client.hear("first").await;
    let mut rest = Vec::new();
    let closed = client.0.read_to_end(&mut rest);
    let closed = tokio::time::timeout(Duration::from_secs(10), closed).await;
    closed.expect("soon").expect("closed");
    assert!(rest.is_empty(), "what is missing is not made up");
    assert_eq!(server.0.read(&mut [0; 8]).await.expect("closed"), 0);
}

#[tokio::test]
async fn a_body_is_passed_on_while_it_is_sent() {
    let played = Played::open().await;
    let bridge = played.bridge().await;
    let mut client = Line::to(&bridge).await;
    client
        .say("POST /played/x HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\n\r\nfirst")
        .await;
    let mut server = played.connection().await;
    let seen = server.hear("first").await;
    assert!(seen.contains("content-length: 10\r\n"), "{seen}");
    client.say("-last").await;
    server.hear("-last").await;
    server
        .say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    client.hear("ok").await;
}

#[tokio::test]
async fn who_leaves_takes_the_request_along() {
    let played = Played::open().await;
    let bridge = played.bridge().await;
    let mut client = Line::to(&bridge).await;
    client
        .say("POST /played/x HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\n\r\nfirst")
        .await;
    let mut server = played.connection().await;
    server.hear("first").await;
    drop(client);
    let mut rest = Vec::new();
    server.0.read_to_end(&mut rest).await.expect("closed");
    assert!(rest.is_empty(), "nobody finishes the body for them");
}
