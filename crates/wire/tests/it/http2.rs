//! Connections of HTTP/2 and their ends.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use wire::Body;
use wire::client::{self, Pool};
use wire::server::Settings;

use crate::frames::{ACK, DATA, GOAWAY, PING, Raw, frame};
use crate::grpc::Dial;
use crate::stage::Stage;

/// Answers the pings of the server until it closes; when that is, and the error that it tells.
async fn lives(raw: &mut Raw) -> (Duration, Option<u32>) {
    let begun = tokio::time::Instant::now();
    let mut error = None;
    while let Some(next) = raw.next().await {
        if next.kind == PING && next.flags & ACK == 0 {
            raw.send(&frame(PING, ACK, 0, &next.payload)).await;
        }
        error = next.error().or(error);
    }
    (begun.elapsed(), error)
}

#[tokio::test]
async fn what_can_have_no_body_has_no_length() {
    let stage = Stage::open().await;
    let settings = client::Settings {
        http2: true,
        ..client::Settings::default()
    };
    let pool = Pool::new(Arc::new(Dial(stage.address)), settings);
    let request = Request::get("/empty").header("host", "x");
    let request = request.body(Body::empty()).expect("a request");
    let response = pool.exchange(request, true).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(!response.headers().contains_key("content-length"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_uses_ends() {
    let stage = Stage::with(Settings::default()).await;
    let mut raw = Raw::begin(stage.address, &[]).await;
    raw.get(1, "/").await;
    raw.until(|frame| frame.kind == DATA)
        .await
        .expect("answers");
    let (lived, error) = lives(&mut raw).await;
    let expected = Duration::from_secs(75)..Duration::from_secs(80);
    assert!(expected.contains(&lived), "{lived:?}");
    assert_eq!(error, Some(0), "nobody is to blame");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_no_ping_ends() {
    let stage = Stage::with(Settings {
        idle_timeout: Duration::from_secs(3600),
        ..Settings::default()
    })
    .await;
    let mut raw = Raw::begin(stage.address, &[]).await;
    let begun = tokio::time::Instant::now();
    raw.ends().await;
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn who_begins_and_does_not_go_on_is_not_waited_for() {
    let stage = Stage::with(Settings::default()).await;
    let mut client = stage.client().await;
    client.say("PRI * HTTP/2.0\r\n").await;
    assert_eq!(client.rest_within(Duration::from_secs(11)).await, "");
}

#[tokio::test(start_paused = true)]
async fn running_requests_are_the_last_ones_when_the_server_drains() {
    let stage = Stage::with(Settings::default()).await;
    let mut raw = Raw::begin(stage.address, &[]).await;
    raw.get(1, "/").await;
    raw.until(|frame| frame.kind == DATA)
        .await
        .expect("answers");
    stage.drain.cancel();
    let last = raw
        .until(|frame| frame.kind == GOAWAY)
        .await
        .expect("is told");
    assert_eq!(last.error(), Some(0));
    // Whoever does not say that it has heard does not hold the server up.
    let begun = tokio::time::Instant::now();
    raw.ends().await;
    assert!(begun.elapsed() < Duration::from_secs(2));
}
