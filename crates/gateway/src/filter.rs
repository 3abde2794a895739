//! What stands before the upstreams of a route: a filter, as one service with what is behind it.
//!
//! Services of a route answer by reference: requests borrow them, and nothing is cloned for a request
//! that all workers would have to count.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tower::{Layer, Service};
use wire::Body;
use wire::server::Answers;

/// The answer of a service, as long as that is borrowed.
pub(crate) type Answering<'a> = BoxFuture<'a, Result<Response<Body>, Infallible>>;

/// Answers in place of what is behind it, or changes what goes in and what comes out.
pub(crate) trait Filter: Sync {
    /// Answers a request, with the help of `inner` where that is to be asked.
    fn pass<S: Answers>(
        &self,
        inner: S,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// What a service answers. Services here are ready at any time: to wait for that would be to carry the
/// request along meanwhile.
pub(crate) fn answer<S: Answers>(
    mut service: S,
    request: Request<Body>,
) -> impl Future<Output = Response<Body>> + Send + use<S> {
    service.call(request).map(unfailing)
}

/// What was answered: it never fails.
pub(crate) fn unfailing(answered: Result<Response<Body>, Infallible>) -> Response<Body> {
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Puts a filter before a service, if there is one.
#[derive(Debug)]
pub(crate) struct FilterLayer<F>(pub(crate) Option<F>);

impl<F: Clone, S> Layer<S> for FilterLayer<F> {
    type Service = Filtered<F, S>;

    fn layer(&self, inner: S) -> Filtered<F, S> {
        Filtered {
            filter: self.0.clone(),
            inner,
        }
    }
}

/// A service, behind a filter if it has one.
#[derive(Debug)]
pub(crate) struct Filtered<F, S> {
    filter: Option<F>,
    inner: S,
}

impl<'a, F: Filter, S> Service<Request<Body>> for &'a Filtered<F, S>
where
    &'a S: Answers + Service<Request<Body>, Future = Answering<'a>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<'a>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is inside is asked when there is a request for it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering<'a> {
        let Filtered { filter, inner } = *self;
        let mut inner = inner;
        match filter {
            Some(filter) => Box::pin(async move { Ok(filter.pass(inner, request).await) }),
            None => inner.call(request),
        }
    }
}
