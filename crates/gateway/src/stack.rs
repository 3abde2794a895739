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

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tower::util::{Either, option_layer};
use tower::{Layer, Service};
use wire::Body;

use crate::cache::{CacheLayer, CacheService};
use crate::filter::{FilterLayer, Filtered, answer};
use crate::forward::Forward;
use crate::limit::{Bounds, LimitFilter};
use crate::transform::TransformFilter;
use crate::validate::ValidateFilter;

type Cached = Either<CacheService<Sender>, Sender>;
type Behind<F, S> = Either<Filtered<F, S>, S>;
type Changed = Behind<TransformFilter, Cached>;
type Checked = Behind<ValidateFilter, Changed>;
type Inside = Behind<Bounds, Checked>;
type Within = Behind<LimitFilter, Inside>;

/// The innermost service. Cheap to clone.
#[derive(Debug, Clone)]
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
        let cached = option_layer(cache).layer(Sender(forward.clone()));
        let changed = option_layer(transform.map(FilterLayer)).layer(cached);
        let checked = option_layer(validate.clone().map(FilterLayer)).layer(changed);
        let inside = option_layer(bounds.map(FilterLayer)).layer(checked);
        Self {
            service: option_layer(limits.map(FilterLayer)).layer(inside),
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
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        answer(self.service.clone(), request)
    }
}

impl Service<Request<Body>> for Sender {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.clone().call(request))
    }
}
