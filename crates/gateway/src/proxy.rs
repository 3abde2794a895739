//! Leads to services in other processes: the same routes, guarded here as there, both bodies
//! streaming.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use http::HeaderValue;
use http::header::HOST;
use platform::contract::Peer;
use platform::http::entry::CLIENT;
use platform::http::route::{Guard, guard_route};
use platform::http::{ApiError, ClientAddress, HttpContext, RouteInfo};

use crate::{RemoteService, hop};

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
    let client = ClientAddress::current();
    let headers = request.headers_mut();
    hop::strip(headers);
    headers.remove(HOST);
    if let Some(client) = client.and_then(|client| HeaderValue::try_from(client.0.to_string()).ok())
    {
        headers.insert(CLIENT, client);
    }
    let mut response = peer.forward(request).await?;
    hop::strip(response.headers_mut());
    Ok(response)
}
