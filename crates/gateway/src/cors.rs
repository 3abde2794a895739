//! Which pages of other origins may ask: told to their browsers (Fetch, section 3.2), by the layer of
//! tower-http. It answers each `OPTIONS`, and writes over what those behind it say; here that is left to
//! them where it is theirs: an `OPTIONS` that no browser has sent before another request, and what an
//! upstream says of its own pages.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::TryFutureExt;
use futures_util::future::MapOk;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, ORIGIN,
};
use http::{Method, Request, Response};
use tower::{Layer, Service};
use tower_http::cors::{AllowOrigin, Any, Cors, CorsLayer};
use wire::Body;
use wire::fields::remove_if;

use crate::Config;
use crate::filter::Answering;

/// Tells browsers, before and after what is inside.
#[derive(Clone)]
pub(crate) struct CorsService<S>(Cors<Aside<S>>);

impl<S> CorsService<S> {
    /// Around `inner`, as the configuration says.
    pub(crate) fn new(config: &Config, inner: S) -> Self {
        Self(layer(config).layer(Aside(inner)))
    }

    /// What is inside.
    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.0.get_mut().0
    }
}

fn layer(config: &Config) -> CorsLayer {
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

impl<S> Service<Request<Body>> for CorsService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<'static>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answering<'static> {
        if *request.method() == Method::OPTIONS && !is_preflight(request.headers()) {
            // The layer would answer it.
            *request.method_mut() = Method::GET;
            request.extensions_mut().insert(NoPreflight);
        }
        Box::pin(self.0.call(request).map_ok(|mut response| {
            if let Some(Own(own)) = response.extensions_mut().remove::<Own>() {
                let headers = response.headers_mut();
                remove_if(headers, is_of_cors);
                headers.extend(own);
            }
            response
        }))
    }
}

/// Whether a browser asks what a page may do, before it does it.
fn is_preflight(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn is_of_cors(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}

/// In the extensions of an `OPTIONS` that no browser has sent before another request.
#[derive(Debug, Clone, Copy)]
struct NoPreflight;

/// What an upstream has said itself, in the extensions of its answer.
#[derive(Debug, Clone)]
struct Own(HeaderMap);

/// Puts aside what is inside says itself.
#[derive(Clone)]
struct Aside<S>(S);

/// Changes an answer.
type Change = fn(Response<Body>) -> Response<Body>;

impl<S> Service<Request<Body>> for Aside<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = MapOk<S::Future, Change>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if request.extensions_mut().remove::<NoPreflight>().is_some() {
            *request.method_mut() = Method::OPTIONS;
        }
        self.0.call(request).map_ok(put_aside)
    }
}

fn put_aside(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        let own = headers.iter().filter(|(name, _)| is_of_cors(name));
        let own = own.map(|(name, value)| (name.clone(), value.clone()));
        let own = Own(own.collect());
        response.extensions_mut().insert(own);
    }
    response
}
