//! The listener for other processes of the shop: contracts, and the public routes of the roles
//! that run here, for the gateway to lead to.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use kernel::contract::Dispatch;
use platform::context::RequestContext;
use platform::contract::{PeerKey, PeersOnly, contract_router};
use platform::http::entry::{CLIENT, Entry, Trust, method_not_allowed, no_route};
use platform::http::serve::Routed;
use platform::http::{HttpContext, Origin};

/// What the listener is served by.
pub(crate) type Internal = PeersOnly<Entry<Routed>>;

/// The stack, from the outside in: proof of belonging, trace and problems, the client's address.
pub(crate) fn build(
    contracts: Vec<Arc<dyn Dispatch>>,
    routers: Vec<Router>,
    key: PeerKey,
    body_limit: usize,
    http: &HttpContext,
) -> Internal {
    let all = contract_router(contracts, body_limit);
    let router = routers
        .into_iter()
        .fold(all, Router::merge)
        .fallback(no_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(believe_client_address));
    let entry = Entry::new(http, Trust::Internal, Routed(router));
    PeersOnly::new(key, http.sources.clone(), entry)
}

async fn believe_client_address(mut request: Request, next: Next) -> Response {
    let address = request.headers_mut().remove(CLIENT);
    let address = address.and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(address) = address {
        RequestContext::comes_from(Origin::direct(address));
    }
    next.run(request).await
}
