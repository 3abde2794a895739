//! The shop behind the gateway: its services, in this process or in others.

use std::fmt;
use std::sync::Arc;

use axum::response::IntoResponse;
use http::{Request, Response};
use platform::http::entry::{method_not_allowed, no_route};
use platform::http::route::authenticate;
use platform::http::serve::Routed;
use platform::http::{CallerOf, HttpContext, RouteInfo};
use tower::{Layer, Service, ServiceExt};
use tower_http::compression::predicate::{And, NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{Compression, CompressionLayer};
use wire::Body;

use crate::access_log::note;
use crate::router::{Conditions, Found, Router};
use crate::{Services, docs, errors, proxy};

/// Below this, compressing costs more than it saves.
const COMPRESS_ABOVE: u64 = 860;

/// Which answers are worth compressing.
type Compressible = And<And<SizeAbove, NotForContentType>, NotForContentType>;

/// All services as one. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shop {
    service: Compression<Routed, Compressible>,
    paths: Arc<Router>,
    is_there: bool,
    http: HttpContext,
}

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shop")
    }
}

impl Shop {
    pub(crate) fn new(services: Services, openapi: String, http: &HttpContext) -> Self {
        let mut routes = errors::router();
        if !services.routes.is_empty() {
            routes = routes.merge(docs::router(openapi));
        }
        for router in services.local {
            routes = routes.merge(router);
        }
        for service in services.remote {
            routes = routes.merge(proxy::router(service, http));
        }
        let router = routes
            .fallback(no_route)
            .method_not_allowed_fallback(method_not_allowed);
        let small = SizeAbove::new(COMPRESS_ABOVE);
        let compression = CompressionLayer::new().compress_when(
            small
                .and(NotForContentType::SSE)
                .and(NotForContentType::IMAGES),
        );
        Self {
            service: compression.layer(Routed(router)),
            paths: Arc::new(paths(&services.routes)),
            is_there: !services.routes.is_empty(),
            http: http.clone(),
        }
    }

    /// Whether there is a shop; else the gateway stands before other servers only.
    pub(crate) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Whether the shop has this path, with whatever method.
    pub(crate) fn has(&self, path: &str) -> bool {
        let found = self
            .paths
            .find(&http::Method::OPTIONS, "", path, &http::HeaderMap::new());
        found != Found::Nothing
    }

    /// Finds out who calls, and answers.
    pub(crate) async fn call(&self, mut request: Request<Body>) -> Response<Body> {
        if self.is_there {
            match authenticate(&self.http.authenticator, request.headers()).await {
                Ok(caller) => {
                    note(|trail| trail.by(&caller));
                    request.extensions_mut().insert(CallerOf(caller))
                }
                Err(error) => return error.into_response().map(Body::new),
            };
        }
        let mut service = self.service.clone();
        match service.ready().await {
            Ok(service) => match service.call(request).await {
                Ok(response) => response.map(Body::new),
                Err(never) => match never {},
            },
            Err(never) => match never {},
        }
    }
}

/// The routes of the shop as those of a table, in their order.
pub(crate) fn paths(routes: &[RouteInfo]) -> Router {
    let conditions = routes.iter().map(|route| Conditions {
        path: route.path.clone(),
        methods: vec![route.method.clone()],
        ..Conditions::default()
    });
    Router::new(conditions.collect()).expect("axum has taken the same paths")
}
