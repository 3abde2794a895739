//! The gateway: the only public listener.
//!
//! **Owns** nothing durable. It knows every route of every service and leads each request to the
//! service, by a function call where it runs in this process and over the wire where it does not.
//! The stack, from the outside in:
//!
//! 1. [`entry`](platform::http::entry): trace, deadline, request id, problems;
//! 2. compression and CORS;
//! 3. the [`door`]: refuses what is too much, strips identity headers, limits, finds out who calls;
//! 4. the route: its [`Guard`](platform::http::route::Guard), then the service or the [`proxy`].

mod config;
mod docs;
mod door;
mod errors;
mod limit;
mod proxy;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::middleware::from_fn_with_state;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use platform::contract::Peer;
use platform::http::entry::{Entry, Trust, method_not_allowed, no_route};
use platform::http::serve::Routed;
use platform::http::{HttpContext, RouteInfo};
use tower::{Layer, Service, ServiceExt};
use tower_http::compression::predicate::{And, NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{Compression, CompressionLayer};
use tower_http::cors::{AllowOrigin, Any, Cors, CorsLayer};
use wire::Body;

pub use self::config::Config;
use self::door::Door;

/// Below this, compressing costs more than it saves.
const COMPRESS_ABOVE: u64 = 860;

/// A service in another process: its routes, and where it is.
#[derive(Debug)]
pub struct RemoteService {
    /// Its routes.
    pub routes: Vec<RouteInfo>,
    /// Its instances.
    pub peer: Arc<Peer>,
}

/// What the gateway leads to.
#[derive(Debug, Default)]
pub struct Services {
    /// The routers of the services in this process.
    pub local: Vec<Router>,
    /// The services in other processes.
    pub remote: Vec<RemoteService>,
}

/// The gateway, put together. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Stack);

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gateway")
    }
}

/// From the outside in.
type Stack = Compression<Cors<Entry<Routed>>, Compressible>;

/// Which answers are worth compressing.
type Compressible = And<And<SizeAbove, NotForContentType>, NotForContentType>;

impl Gateway {
    /// Puts the gateway together. `openapi` is the document of all routes, as JSON.
    pub fn build(config: &Config, services: Services, openapi: String, http: &HttpContext) -> Self {
        let mut routes = docs::router(openapi).merge(errors::router());
        for router in services.local {
            routes = routes.merge(router);
        }
        for service in services.remote {
            routes = routes.merge(proxy::router(service, http));
        }
        let router = routes
            .fallback(no_route)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(from_fn_with_state(Door::new(config, http), door::pass));
        let entry = Entry::new(http, Trust::Public, Routed(router));
        let small = SizeAbove::new(COMPRESS_ABOVE);
        let compression = CompressionLayer::new().compress_when(
            small
                .and(NotForContentType::SSE)
                .and(NotForContentType::IMAGES),
        );
        Self(compression.layer(cors(config).layer(entry)))
    }
}

impl Service<Request<Body>> for Gateway {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is inside is asked when there is a request for it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let stack = self.0.clone();
        Box::pin(async move { Ok(stack.oneshot(request).await?.map(Body::new)) })
    }
}

fn cors(config: &Config) -> CorsLayer {
    let origins = &config.cors_origins;
    let allow = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| origin.parse().ok()))
    };
    CorsLayer::new()
        .allow_origin(allow)
        .allow_methods(Any)
        .allow_headers(Any)
        .expose_headers(Any)
        .max_age(std::time::Duration::from_secs(3600))
}
