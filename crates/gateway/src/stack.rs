//! What stands before the upstreams of a route once it is known [who calls](crate::identity), from the
//! outside in:
//!
//! 1. its limits, `[[gateway.route.limit]]`;
//! 2. what it bounds: `body_limit` and `concurrency`;
//! 3. whether requests are what a document says, `[gateway.route.validate]`;
//! 4. its changes, `[gateway.route.request]` and `[gateway.route.response]`: of what may pass, and of
//!    what the cache has kept as the upstream said it;
//! 5. the cache, `[gateway.route.cache]`;
//! 6. [`Forward`], which sends the request on.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::{Layer, Service};
use wire::Body;

use crate::cache::{CacheLayer, CacheService};
use crate::filter::{Answering, FilterLayer, Filtered, answer};
use crate::forward::Forward;
use crate::limit::{Bounds, LimitFilter};
use crate::transform::TransformFilter;
use crate::validate::ValidateFilter;

type Changed = Filtered<TransformFilter, Cached>;
type Checked = Filtered<ValidateFilter, Changed>;
type Inside = Filtered<Bounds, Checked>;
type Within = Filtered<LimitFilter, Inside>;

/// What sends requests on; through the cache, if the route has one.
enum Cached {
    By(CacheService<Sender>),
    Never(Arc<Forward>),
}

/// The innermost service, as the cache has it: what it asks may go on when nobody waits for it. Cheap to
/// clone.
#[derive(Clone)]
struct Sender(Arc<Forward>);

/// The services of one route as one.
pub(crate) struct Stack {
    forward: Arc<Forward>,
    validate: Option<ValidateFilter>,
    service: Within,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stack({:?})", self.forward)
    }
}

impl Stack {
    pub(crate) fn new(
        limits: Option<LimitFilter>,
        bounds: Option<Bounds>,
        validate: Option<ValidateFilter>,
        transform: Option<TransformFilter>,
        cache: Option<CacheLayer>,
        forward: Forward,
    ) -> Self {
        let forward = Arc::new(forward);
        let cached = match cache {
            Some(cache) => Cached::By(cache.layer(Sender(forward.clone()))),
            None => Cached::Never(forward.clone()),
        };
        let changed = FilterLayer(transform).layer(cached);
        let checked = FilterLayer(validate.clone()).layer(changed);
        let inside = FilterLayer(bounds).layer(checked);
        Self {
            service: FilterLayer(limits).layer(inside),
            validate,
            forward,
        }
    }

    /// Where the requests go in the end.
    pub(crate) fn forward(&self) -> &Forward {
        &self.forward
    }

    /// What requests are checked by.
    pub(crate) fn validate(&self) -> Option<&ValidateFilter> {
        self.validate.as_ref()
    }

    /// Answers a request.
    pub(crate) fn call(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send {
        answer(&self.service, request)
    }
}

impl<'a> Service<Request<Body>> for &'a Cached {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<'a>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering<'a> {
        match *self {
            Cached::By(cache) => cache.answer(request),
            Cached::Never(forward) => Box::pin(forward.call(request)),
        }
    }
}

impl Service<Request<Body>> for Sender {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering<'static> {
        let forward = self.0.clone();
        Box::pin(async move { forward.call(request).await })
    }
}
