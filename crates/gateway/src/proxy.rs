//! Leads to services in other processes: the same routes, guarded here as there, both bodies
//! streaming.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use http::header::{CONNECTION, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};
use platform::contract::Peer;
use platform::http::entry::CLIENT;
use platform::http::route::{Guard, guard_route};
use platform::http::{ApiError, ClientAddress, HttpContext, RouteInfo};

use crate::RemoteService;

/// Headers that concern one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 4] = [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE];

/// The routes of a service in another process.
pub(crate) fn router(service: RemoteService, http: &HttpContext) -> Router {
    let mut router = Router::new();
    for route in &service.routes {
        let guard = Guard::new(route, http);
        let method = on(filter(route), forward).layer(from_fn_with_state(guard, guard_route));
        router = router.route(&route.path, method);
    }
    router.with_state(service.peer)
}

fn filter(route: &RouteInfo) -> MethodFilter {
    match route.method.as_str() {
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

async fn forward(
    State(peer): State<Arc<Peer>>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let client = request.extensions().get::<ClientAddress>().copied();
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    headers.remove(HOST);
    if let Some(client) = client.and_then(|client| HeaderValue::try_from(client.0.to_string()).ok())
    {
        headers.insert(CLIENT, client);
    }
    let mut response = peer.forward(request).await?;
    strip_hop_by_hop(response.headers_mut());
    Ok(response)
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}
