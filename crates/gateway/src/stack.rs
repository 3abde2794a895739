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
use tower::{Layer, Service, ServiceExt};
use wire::Body;

use crate::cache::{CacheLayer, CacheService};
use crate::forward::Forward;
use crate::limit::{Bounded, Bounds, LimitLayer, Limited};
use crate::transform::{TransformLayer, TransformService};
use crate::validate::{ValidateLayer, ValidateService};

type Cached = Either<CacheService<Sender>, Sender>;
type Changed = Either<TransformService<Cached>, Cached>;
type Checked = Either<ValidateService<Changed>, Changed>;
type Inside = Either<Bounded<Checked>, Checked>;
type Within = Either<Limited<Inside>, Inside>;

/// The innermost service. Cheap to clone.
#[derive(Debug, Clone)]
struct Sender(Arc<Forward>);

/// The services of one route as one.
pub(crate) struct Stack {
    forward: Arc<Forward>,
    validate: Option<ValidateLayer>,
    service: Within,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stack({:?})", self.forward)
    }
}

impl Stack {
    pub(crate) fn new(
        limits: Option<LimitLayer>,
        bounds: Option<Bounds>,
        validate: Option<ValidateLayer>,
        transform: Option<TransformLayer>,
        cache: Option<CacheLayer>,
        forward: Forward,
    ) -> Self {
        let forward = Arc::new(forward);
        let cached = option_layer(cache).layer(Sender(forward.clone()));
        let changed = option_layer(transform).layer(cached);
        let checked = option_layer(validate.clone()).layer(changed);
        let inside = option_layer(bounds).layer(checked);
        Self {
            service: option_layer(limits).layer(inside),
            validate,
            forward,
        }
    }

    /// Where the requests go in the end.
    pub(crate) fn forward(&self) -> &Forward {
        &self.forward
    }

    /// What requests are checked by.
    pub(crate) fn validate(&self) -> Option<&ValidateLayer> {
        self.validate.as_ref()
    }

    /// Answers a request.
    pub(crate) async fn call(&self, request: Request<Body>) -> Response<Body> {
        match self.service.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
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
        let forward = self.0.clone();
        Box::pin(async move { Ok(forward.call(request).await) })
    }
}
