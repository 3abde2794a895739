use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tower::service_fn;
use wire::BoxError;

use super::*;
use crate::filter::Filter;

fn layer(request: &str, response: &str) -> TransformFilter {
    let request: Option<RequestSettings> =
        (!request.is_empty()).then(|| toml::from_str(request).expect("settings"));
    let response: Option<ResponseSettings> =
        (!response.is_empty()).then(|| toml::from_str(response).expect("settings"));
    let settings = (request.as_ref(), response.as_ref());
    TransformFilter::new("/a/{id}", settings, Duration::from_secs(1)).expect("checked")
}

/// An upstream that gives everything back, with headers that tell about the body.
async fn mirror(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body);
    *response.headers_mut() = parts.headers;
    let about = [
        ("content-type", "application/json"),
        ("etag", "\"1\""),
        ("digest", "sha-256=AA=="),
        ("content-md5", "AA=="),
    ];
    for (name, value) in about {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

fn post(body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/a/1");
    request
}

async fn send(layer: &TransformFilter, request: Request<Body>) -> (StatusCode, HeaderMap, Body) {
    let answered = layer.pass(service_fn(mirror), request).await;
    let (parts, body) = answered.into_parts();
    (parts.status, parts.headers, body)
}

async fn text(body: Body) -> String {
    let bytes = body.collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn never() -> Body {
    Body::new(StreamBody::new(stream::pending::<
        Result<http_body::Frame<Bytes>, BoxError>,
    >()))
}

#[tokio::test]
async fn headers_change_without_a_look_at_the_body() {
    let both = "headers = { set = { x = 'y' } }";
    let (status, headers, _) = send(&layer(both, both), post(never())).await;
    assert_eq!(status, 200);
    assert_eq!(headers["x"], "y");
    assert_eq!(headers["etag"], "\"1\"");
    assert!(!headers.contains_key("accept-encoding"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let edits = "json = [{ remove = '/x' }]";
    let (status, ..) = send(&layer(edits, ""), post(never())).await;
    assert_eq!(status, 408);
}

#[tokio::test]
async fn what_was_said_about_the_old_body_goes() {
    let edits = layer("", "json = [{ remove = '/x' }]");
    let (_, headers, body) = send(&edits, post(Body::full(r#"{"x":1,"y":2}"#))).await;
    assert_eq!(text(body).await, r#"{"y":2}"#);
    assert_eq!(headers["content-length"], "7");
    for gone in ["etag", "digest", "content-md5"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
    let mut head = post(Body::empty());
    *head.method_mut() = Method::HEAD;
    head.headers_mut().insert("content-length", 13.into());
    let (_, headers, _) = send(&edits, head).await;
    assert!(!headers.contains_key("content-length") && !headers.contains_key("etag"));
}

#[tokio::test]
async fn what_is_passed_is_passed_whole() {
    let edits = layer(
        "",
        "json = [{ remove = '/x' }]\nlimit = '8B'\non_mismatch = 'pass'",
    );
    let pieces = ["{\"x\":", "12345", "67890}"];
    let frames = stream::iter(pieces).map(|piece| {
        Ok::<_, BoxError>(http_body::Frame::data(Bytes::from_static(piece.as_bytes())))
    });
    let request = post(Body::new(StreamBody::new(frames)));
    let (status, headers, body) = send(&edits, request).await;
    assert_eq!(status, 200);
    assert_eq!(headers["etag"], "\"1\"");
    assert_eq!(text(body).await, pieces.concat());

    let broken = post(Body::full("no json"));
    assert_eq!(text(send(&edits, broken).await.2).await, "no json");
    let strict = layer("", "json = [{ remove = '/x' }]");
    assert_eq!(send(&strict, post(Body::full("no json"))).await.0, 502);
}

#[tokio::test]
async fn a_body_that_expressions_cannot_read_is_a_mismatch() {
    let of_body = "headers.set = { x = '{{ body | length }}' }";
    let deep = || Body::full(format!("{}{}", "[".repeat(1000), "]".repeat(1000)));
    assert_eq!(send(&layer(of_body, ""), post(deep())).await.0, 400);
    let mild = layer(&format!("{of_body}\non_mismatch = 'pass'"), "");
    let (status, headers, body) = send(&mild, post(deep())).await;
    assert_eq!((status, headers.contains_key("x")), (StatusCode::OK, false));
    assert_eq!(text(body).await.len(), 2000);
}

#[tokio::test]
async fn identity_is_what_the_authentication_has_left() {
    let of_caller = "headers.set = { x-user = '{{ identity.subject }}', \
                     x-shop = '{{ identity.claims.shop }}' }";
    let layer = layer(of_caller, "");
    let mut request = post(Body::empty());
    request.extensions_mut().insert(Arc::new(Identity {
        source: Arc::from("issuer"),
        subject: String::from("u-1"),
        scopes: Vec::new(),
        roles: Vec::new(),
        claims: json!({"shop": 7}).as_object().cloned().unwrap_or_default(),
        expires: None,
    }));
    let (_, headers, _) = send(&layer, request).await;
    assert_eq!(headers["x-user"], "u-1");
    assert_eq!(headers["x-shop"], "7");
    assert_eq!(send(&layer, post(Body::empty())).await.0, 400);
}
