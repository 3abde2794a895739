//! WebSocket over HTTP/2 (RFC 8441), led to a server that knows it from HTTP/1.1 only.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wire::Body;
use wire::client::{Pool, Settings};
use wire::front::Front;

use crate::frames::{DATA, END_HEADERS, END_STREAM, Frame, HEADERS, Raw, SETTINGS, field, frame};
use crate::grpc::Dial;
use crate::stage::Stage;

/// Changes to WebSocket, greets, and gives back in capitals what comes.
async fn shouting(honest: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8(head).expect("text");
        assert!(head.starts_with("GET /chat HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
        assert!(head.contains("\r\nsec-websocket-version: 13\r\n"), "{head}");
        assert!(
            head.contains("\r\nsec-websocket-protocol: talk\r\n"),
            "{head}"
        );
        let key = head
            .split("sec-websocket-key: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let salted = format!(
            "{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
            key.expect("a key")
        );
        let sha1 = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
        let mut accept = STANDARD.encode(ring::digest::digest(sha1, salted.as_bytes()));
        if !honest {
            accept.insert(0, 'x');
        }
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-protocol: talk\r\nsec-websocket-accept: {accept}\r\n\r\nhello "
        );
        stream.write_all(answer.as_bytes()).await.expect("writes");
        let mut heard = [0; 100];
        while let Ok(length @ 1..) = stream.read(&mut heard).await {
            heard[..length].make_ascii_uppercase();
            stream.write_all(&heard[..length]).await.expect("writes");
        }
    });
    address
}

/// A proxy in front of it.
async fn proxy(honest: bool) -> Stage {
    let dial = Arc::new(Dial(shouting(honest).await));
    let pool = Pool::new(dial, Settings::default());
    let pass = tower::service_fn(move |request: Request<Body>| {
        let pool = pool.clone();
        async move {
            let passed = pool.exchange(request, false).await;
            Ok::<_, Infallible>(passed.unwrap_or_else(|error| {
                let mut response = Response::new(Body::full(error.to_string()));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }))
        }
    });
    Stage::serving(pass, Front::default(), wire::server::Settings::default()).await
}

async fn connect(stage: &Stage) -> (Raw, Frame) {
    let mut raw = Raw::begin(stage.address, &[]).await;
    let settings = raw
        .until(|frame| frame.kind == SETTINGS)
        .await
        .expect("settings");
    let extended = settings
        .payload
        .chunks(6)
        .any(|setting| setting == [0, 8, 0, 0, 0, 1]);
    assert!(extended, "SETTINGS_ENABLE_CONNECT_PROTOCOL");
    let mut fields = Vec::new();
    for (name, value) in [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/chat"),
        (":authority", "x"),
        ("sec-websocket-protocol", "talk"),
    ] {
        fields.extend(field(name, value));
    }
    raw.send(&frame(HEADERS, END_HEADERS, 1, &fields)).await;
    let head = raw
        .until(|frame| frame.kind == HEADERS)
        .await
        .expect("an answer");
    (raw, head)
}

#[tokio::test]
async fn a_stream_becomes_a_websocket() {
    let stage = proxy(true).await;
    let (mut raw, head) = connect(&stage).await;
    assert_eq!(head.payload[0], 0x88, ":status 200");
    assert_eq!(head.flags & END_STREAM, 0);
    raw.send(&frame(DATA, 0, 1, b"you there")).await;
    let mut heard = Vec::new();
    while heard.len() < 15 {
        let data = raw.until(|frame| frame.kind == DATA).await.expect("more");
        heard.extend(data.payload);
    }
    assert_eq!(heard, b"hello YOU THERE");
    raw.send(&frame(DATA, END_STREAM, 1, b"")).await;
    let last = raw
        .until(|frame| frame.kind == DATA && frame.flags & END_STREAM != 0)
        .await;
    assert!(last.is_some(), "closing is passed on, there and back");
}

#[tokio::test]
async fn who_does_not_prove_to_speak_it_is_not_spoken_to() {
    let stage = proxy(false).await;
    let (_, head) = connect(&stage).await;
    let text = String::from_utf8_lossy(&head.payload);
    assert_ne!(head.payload[0], 0x88, "no 200");
    assert!(
        text.contains("502") || head.payload.starts_with(&[0x48]),
        "{text:?}"
    );
}
