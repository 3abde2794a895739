//! What a route bounds of each request, and of all that are there at once.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use kernel::Problem;
use kernel::problem::codes;
use platform::http::refuse;
use prometheus_client::metrics::counter::Counter;
use tower::{Layer, Service, ServiceExt};
use wire::Body;

use super::body::{Length, too_large};
use super::places::{Places, keep};
use crate::table;

/// `body_limit` and `concurrency` of a route.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Bytes.
    pub(crate) body: Option<u64>,
    pub(crate) places: Option<Arc<Places>>,
    /// Counts those who found no place.
    shed: Counter,
}

impl Bounds {
    /// Those of a route with such places, if it has any.
    pub(crate) fn new(
        route: &table::Route,
        places: Option<Arc<Places>>,
        shed: &Counter,
    ) -> Option<Self> {
        let body = route.body_limit.map(|table::Size(bytes)| bytes as u64);
        (body.is_some() || places.is_some()).then(|| Self {
            body,
            places,
            shed: shed.clone(),
        })
    }

    async fn pass<S>(self, inner: S, request: Request<Body>) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    {
        let (head, body) = request.into_parts();
        let limit = self.body.unwrap_or(u64::MAX);
        let (body, exceeded) = match Length::of(body, limit) {
            Length::Above => return refuse(too_large(limit)),
            Length::Within(body) => (body, None),
            Length::Watched(body, exceeded) => (body, Some(exceeded)),
        };
        let place = match &self.places {
            None => None,
            Some(places) => match places.enter().await {
                Some(place) => Some(place),
                None => {
                    self.shed.inc();
                    return refuse(crowded());
                }
            },
        };
        let response = match inner.oneshot(Request::from_parts(head, body)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        // Whatever becomes of a body that breaks off, this is why.
        if exceeded.is_some_and(|exceeded| exceeded.load(Ordering::Relaxed)) {
            return refuse(too_large(limit));
        }
        match place {
            Some(place) => response.map(|body| keep(body, place)),
            None => response,
        }
    }
}

fn crowded() -> Problem {
    let detail = "the route has as many requests as it answers at once";
    Problem::unavailable(codes::OVERLOADED, detail, 1)
}

impl<S> Layer<S> for Bounds {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded {
            bounds: self.clone(),
            inner,
        }
    }
}

/// A service that gets no more, and nothing larger.
#[derive(Debug, Clone)]
pub(crate) struct Bounded<S> {
    bounds: Bounds,
    inner: S,
}

impl<S> Service<Request<Body>> for Bounded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The inner service is asked when there is a request for it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { bounds, inner } = self.clone();
        Box::pin(async move { Ok(bounds.pass(inner, request).await) })
    }
}
