//! The listener for other processes of the shop: contracts, and the public routes of the roles
//! that run here, for the gateway to lead to.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use kernel::contract::Dispatch;
use platform::contract::{PeerKey, authenticate_peer, contract_router};
use platform::http::entry::{CLIENT, Trust, entry, method_not_allowed, no_route};
use platform::http::{ClientAddress, HttpContext};

/// The stack, from the outside in: trace and problems, proof of belonging, the client's address.
pub(crate) fn router(
    contracts: Vec<Arc<dyn Dispatch>>,
    routers: Vec<Router>,
    key: PeerKey,
    body_limit: usize,
    http: &HttpContext,
) -> Router {
    let all = contract_router(contracts, body_limit);
    routers
        .into_iter()
        .fold(all, Router::merge)
        .fallback(no_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(believe_client_address))
        .layer(from_fn_with_state((http.clone(), Trust::Internal), entry))
        .layer(from_fn_with_state(
            (key, http.sources.clone()),
            authenticate_peer,
        ))
}

async fn believe_client_address(mut request: Request, next: Next) -> Response {
    let address = request.headers_mut().remove(CLIENT);
    let address = address.and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(address) = address {
        request.extensions_mut().insert(ClientAddress(address));
    }
    next.run(request).await
}
