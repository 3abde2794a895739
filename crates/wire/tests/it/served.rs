//! What clients get who keep to the protocol.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use wire::Body;
use wire::front::Front;
use wire::server::Settings;

use crate::stage::{Fed, Stage};

const GET: &str = "GET /a?b HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn requests_follow_each_other_on_one_connection() {
    let stage = Stage::open().await;
    let mut client = stage.client().await;
    for _ in 0..3 {
        client.say(GET).await;
        let answer = client.hears("GET /a?b of x: ").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.contains("date: ") && !answer.contains("connection:"),
            "{answer}"
        );
    }
    // All at once they are answered in order; an empty line between them is passed over.
    client
        .say(format!("{GET}\r\nGET /b HTTP/1.1\r\nhost: y\r\n\r\n{GET}"))
        .await;
    client.hears("GET /a?b of x: ").await;
    client.hears("GET /b of y: ").await;
    client.hears("GET /a?b of x: ").await;
    client
        .say("GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    let answer = client.rest().await;
    assert!(
        answer.contains("connection: close\r\n") && answer.ends_with("/last of x: "),
        "{answer}"
    );
}

#[tokio::test]
async fn bodies_come_as_they_like() {
    let stage = Stage::open().await;
    let mut client = stage.client().await;
    client
        .say("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello")
        .await;
    client.hears("POST / of x: hello").await;
    client
        .say("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhel")
        .await;
    client.say("lo wor").await;
    client.say("l").await;
    client.hears("POST / of x: hello worl").await;
    let chunked = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: Chunked\r\n\r\n";
    client.say(chunked).await;
    for part in [
        "5;ext=1\r\nhel",
        "lo\r\n6 ;x\r\n worl",
        "d\r\n",
        "0\r\nsum: 42\r\n",
        "\r\n",
    ] {
        client.say(part).await;
    }
    client.hears("POST / of x: hello world (42)").await;
    client.say(GET).await;
    client.hears("GET /a?b of x: ").await;
}

#[tokio::test]
async fn who_waits_to_be_asked_for_the_body_is_asked() {
    let stage = Stage::open().await;
    let mut client = stage.client().await;
    let head = "HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    client.say(format!("POST / {head}")).await;
    assert_eq!(
        client.hears("\r\n\r\n").await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    client.say("hello").await;
    client.hears("POST / of x: hello").await;
    // Nobody wants this one: the answer comes without the question.
    client.say(format!("POST /ignore {head}")).await;
    let answer = client.hears("ignored").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn answers_end_as_the_client_can_read_them() {
    let stage = Stage::open().await;
    let mut client = stage.client().await;
    client.say("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = client.hears("0\r\n\r\n").await;
    assert!(
        answer.ends_with("\r\n\r\n8\r\nstreamed\r\n0\r\n\r\n"),
        "{answer}"
    );
    client.say("GET /empty HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = client.hears("\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 204") && !answer.contains("content-length"),
        "{answer}"
    );
    client.say("HEAD /long HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = client.hears("\r\n\r\n").await;
    assert!(answer.contains("content-length: 1048576\r\n"), "{answer}");
    client.say(GET).await;
    let answer = client.hears("GET /a?b of x: ").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n"),
        "HEAD has no body: {answer}"
    );
    // HTTP/1.0 knows no chunks, and no second request unless it asks for one.
    let answer = stage.says(b"GET /stream HTTP/1.0\r\n\r\n").await;
    assert!(
        answer.ends_with("\r\n\r\nstreamed") && !answer.contains("chunked"),
        "{answer}"
    );
    let mut old = stage.client().await;
    old.say("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        .await;
    assert!(
        old.hears("GET / of -: ")
            .await
            .contains("connection: keep-alive\r\n")
    );
    old.say("GET / HTTP/1.0\r\n\r\n").await;
    assert!(old.rest().await.contains("connection: close"));
}

#[tokio::test]
async fn a_long_answer_is_whole() {
    let stage = Stage::open().await;
    let answer = stage
        .says(b"GET /long HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    let body = answer.split("\r\n\r\n").nth(1).expect("a body");
    assert!(body.len() == 1 << 20 && body.bytes().all(|byte| byte == b'x'));
}

#[tokio::test]
async fn an_answer_that_lies_about_its_length_breaks_off() {
    let stage = Stage::open().await;
    let answer = stage
        .says(format!("GET /lie HTTP/1.1\r\nhost: x\r\n\r\n{GET}").as_bytes())
        .await;
    assert!(!answer.contains("/a?b"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_is_not_waited_for() {
    let stage = Stage::open().await;
    let mut silent = stage.client().await;
    assert_eq!(silent.rest_within(Duration::from_secs(15)).await, "");
    let mut idle = stage.client().await;
    idle.say(GET).await;
    idle.hears("GET /a?b of x: ").await;
    assert_eq!(idle.rest_within(Duration::from_secs(80)).await, "");
    let mut slow = stage.client().await;
    slow.say("GET / HTTP/1.1\r\nhost:").await;
    let answer = slow.rest_within(Duration::from_secs(15)).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn running_requests_are_the_last_ones_when_the_server_drains() {
    let stage = Stage::open().await;
    let (mut busy, mut idle) = (stage.client().await, stage.client().await);
    idle.say(GET).await;
    idle.hears("GET /a?b of x: ").await;
    busy.say("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
        .await;
    busy.hears("100 Continue\r\n\r\n").await;
    stage.drain.cancel();
    assert_eq!(idle.rest().await, "");
    busy.say("hello").await;
    let answer = busy.rest().await;
    assert!(
        answer.contains("connection: close") && answer.ends_with("hello"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_answer_that_takes_longer_than_the_server_is_the_last_one() {
    let (feed, fed) = mpsc::unbounded_channel();
    let fed = Arc::new(Mutex::new(Some(fed)));
    let slowly = move |request: Request<Body>| {
        let slow = request.uri().path() == "/slow";
        let body = match fed.lock().take_if(|_| slow) {
            Some(fed) => Body::new(Fed(fed)),
            None => Body::empty(),
        };
        std::future::ready(Ok::<_, Infallible>(Response::new(body)))
    };
    let settings = Settings::default();
    let stage = Stage::serving(tower::service_fn(slowly), Front::default(), settings).await;
    let mut client = stage.client().await;
    client.say(GET).await;
    client.hears("\r\n\r\n").await;
    client.say("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let part = |text| Frame::data(Bytes::from_static(text));
    feed.send(part(b"first")).expect("is taken");
    client.hears("5\r\nfirst\r\n").await;
    stage.drain.cancel();
    feed.send(part(b"last")).expect("is taken");
    drop(feed);
    assert_eq!(client.rest().await, "4\r\nlast\r\n0\r\n\r\n");
}

async fn http2(stage: &Stage) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(stage.address)
        .await
        .expect("connects");
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.expect("speaks HTTP/2");
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn http2_has_one_host_as_http1_has() {
    let stage = Stage::with(Settings::default()).await;
    let mut sender = http2(&stage).await;
    for (authority, hosts, status) in [
        ("x", &[][..], 200),
        ("x", &["x"], 200),
        ("root:secret@x", &[], 400),
        ("x", &["a b"], 400),
        ("x", &["root@x"], 400),
        ("x", &["x", "y"], 400),
    ] {
        let mut request = Request::get(format!("http://{authority}/a"));
        for host in hosts {
            request = request.header("host", *host);
        }
        let request = request.body(Full::default()).expect("valid");
        let response = sender.send_request(request).await.expect("answers");
        assert_eq!(response.status(), status, "{authority} {hosts:?}");
    }
}

#[tokio::test]
async fn http2_comes_to_the_same_answers() {
    let stage = Stage::with(Settings::default()).await;
    let mut sender = http2(&stage).await;
    let request = Request::post("http://x/a")
        .body(Full::new(Bytes::from("hello")))
        .expect("valid");
    let response = sender.send_request(request).await.expect("answers");
    let body = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    assert_eq!(
        String::from_utf8_lossy(&body),
        "POST http://x/a of -: hello"
    );
}
