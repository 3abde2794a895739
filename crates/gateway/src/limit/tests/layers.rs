//! The layers, around a service that tells what reached it.

use std::convert::Infallible;
use std::time::Instant;

use http::{Response, StatusCode};
use http_body_util::BodyExt;
use platform::context::RequestContext;
use platform::http::Origin;
use platform::telemetry::TraceContext;
use tower::service_fn;
use wire::Body;

use super::*;
use crate::filter::Filter;
use crate::limit::concurrency::Adaptive;

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

#[tokio::test]
async fn a_client_learns_where_it_stands_and_when_to_come_again() {
    let stage = Stage::local();
    let text = "[[limit]]\nname = 'a'\nper = ['address', 'route']\nrate = '60/1m'\nburst = 2\n";
    let around = |route: &str| LimitFilter::new(stage.counters.clone(), rules(text), route);
    let ask = async |route: &str| {
        let request = request("GET", ADA, 1).map(|()| Body::empty());
        let context = RequestContext::new(TraceContext::root(&Sources::system()), None);
        let asked = async {
            RequestContext::comes_from(Origin::direct(ADA.into()));
            around(route).pass(service_fn(length), request).await
        };
        context.scope(asked).await
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
