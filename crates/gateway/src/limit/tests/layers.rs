//! The layers, around a service that tells what reached it.

use std::convert::Infallible;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tower::{Layer, ServiceExt, service_fn};
use wire::{Body, BoxError};

use super::*;
use crate::limit::body::BodyLimitLayer;
use crate::limit::concurrency::{Adaptive, Concurrency, ConcurrencyLayer};

/// Reads the body, and answers with its length, or that it broke off.
async fn length(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(match request.into_body().collect().await {
        Ok(body) => Response::new(Body::full(body.to_bytes().len().to_string())),
        Err(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    })
}

/// A body whose length nobody knows before.
fn streamed(frames: &[&'static str]) -> Body {
    let frames: Vec<_> = frames
        .iter()
        .map(|frame| Ok::<_, BoxError>(Frame::data(Bytes::from_static(frame.as_bytes()))))
        .collect();
    Body::new(StreamBody::new(stream::iter(frames)))
}

async fn with_body(limit: u64, body: Body) -> StatusCode {
    let service = BodyLimitLayer::new(limit).layer(service_fn(length));
    let response = service.oneshot(Request::new(body)).await;
    response.expect("never fails").status()
}

#[tokio::test]
async fn bodies_are_cut_where_they_are_too_large() {
    assert_eq!(with_body(5, Body::full("12345")).await, StatusCode::OK);
    assert_eq!(with_body(5, Body::empty()).await, StatusCode::OK);
    let too_large = StatusCode::PAYLOAD_TOO_LARGE;
    assert_eq!(with_body(5, Body::full("123456")).await, too_large);
    assert_eq!(with_body(5, streamed(&["123", "45"])).await, StatusCode::OK);
    assert_eq!(
        with_body(5, streamed(&["123", "456", "7"])).await,
        too_large
    );
    assert_eq!(with_body(0, streamed(&["1"])).await, too_large);
}

#[tokio::test]
async fn a_body_that_tells_it_is_too_large_is_not_read() {
    let unread = service_fn(|_| async { panic!("asked") as Result<Response<Body>, Infallible> });
    let service = BodyLimitLayer::new(5).layer(unread);
    let response = service.oneshot(Request::new(Body::full("123456"))).await;
    assert_eq!(
        response.expect("never fails").status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn a_place_is_kept_until_the_answer_has_been_sent() {
    let (global, route) = (Concurrency::new(2), Concurrency::new(1));
    let shed = Counter::default();
    let layer = ConcurrencyLayer::new([global.clone(), route.clone()], shed.clone());
    let streams = service_fn(|_| async { Ok(Response::new(streamed(&["a", "b"]))) });
    let ask = || layer.layer(streams).oneshot(Request::new(Body::empty()));
    let first: Response<Body> = ask().await.expect("never fails");
    assert_eq!((global.inside(), route.inside()), (1, 1));

    let second = ask().await.expect("never fails");
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((global.inside(), route.inside()), (1, 1), "left again");
    assert_eq!(shed.get(), 1);

    let sent = first.into_body().collect().await.expect("a body");
    assert_eq!(sent.to_bytes(), "ab");
    assert_eq!((global.inside(), route.inside()), (0, 0));
    let third = ask().await.expect("never fails");
    assert_eq!(third.status(), StatusCode::OK);
    drop(third);
    assert_eq!(global.inside(), 0, "given up");
}

#[tokio::test]
async fn a_client_learns_where_it_stands_and_when_to_come_again() {
    let stage = Stage::local();
    let text = "[[limit]]\nname = 'a'\nper = ['address', 'route']\nrate = '60/1m'\nburst = 2\n";
    let around = |route: &str| {
        let layer = LimitLayer::new(stage.counters.clone(), rules(text), route);
        layer.layer(service_fn(length))
    };
    let ask = async |route: &str| {
        let request = Request::from_parts(request("GET", ADA, 1), Body::empty());
        around(route).oneshot(request).await.expect("never fails")
    };
    let header = |response: &Response<Body>, name: HeaderName| {
        let value = response.headers().get(name).expect("told");
        value.to_str().expect("text").to_owned()
    };
    let response = ask("/carts").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, POLICY), "\"a\";q=60;w=60");
    assert_eq!(header(&response, LIMIT), "\"a\";r=1;t=1");
    ask("/carts").await;
    let response = ask("/carts").await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&response, LIMIT), "\"a\";r=0;t=2");
    assert_eq!(
        ask("/orders").await.status(),
        StatusCode::OK,
        "a route of its own"
    );
}

#[test]
fn an_upstream_that_drops_gets_less_to_do() {
    let adaptive = Adaptive::new(Default::default());
    let mut now = Instant::now();
    let before = adaptive.limit();
    for _ in 0..40 {
        let visit = adaptive.enter(now).expect("room");
        now += Duration::from_millis(10);
        visit.dropped(now);
    }
    assert!(adaptive.limit() < before);
    let visits: Vec<_> = std::iter::from_fn(|| adaptive.enter(now)).collect();
    assert_eq!(visits.len(), adaptive.limit());
}
