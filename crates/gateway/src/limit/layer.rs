//! Rules around a route.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use platform::http::refuse;
use tower::{Layer, Service, ServiceExt};
use wire::Body;

use super::{Counters, Rules};

/// Counts requests, refuses what is too much, and tells clients where they stand.
#[derive(Debug, Clone)]
pub(crate) struct LimitLayer {
    counters: Counters,
    rules: Rules,
    route: Arc<str>,
}

impl LimitLayer {
    /// The `rules` of `route`, counted by `counters`.
    pub(crate) fn new(counters: Counters, rules: Rules, route: impl Into<Arc<str>>) -> Self {
        Self {
            counters,
            rules,
            route: route.into(),
        }
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited {
            layer: self.clone(),
            inner,
        }
    }
}

/// A service within limits.
#[derive(Debug, Clone)]
pub(crate) struct Limited<S> {
    layer: LimitLayer,
    inner: S,
}

impl<S> Service<Request<Body>> for Limited<S>
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
        let Self { layer, inner } = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let LimitLayer {
                counters,
                rules,
                route,
            } = &layer;
            let asks = rules.asks(&head, route);
            let decision = counters.take(rules, asks).await;
            let mut response = match decision.refusal() {
                Some(problem) => refuse(problem),
                None => inner.oneshot(Request::from_parts(head, body)).await?,
            };
            decision.describe(response.headers_mut());
            Ok(response)
        })
    }
}
