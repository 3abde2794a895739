//! The public interface as a whole.

use platform::http::{RouteInfo, openapi};
use utoipa::openapi::OpenApi;

const ABOUT: &str = "A headless commerce backend. Money is integer minor units with an ISO 4217 \
    currency; times are RFC 3339 in UTC; lists are keyset pages with an opaque cursor; problems \
    are RFC 9457 with a stable `code`, explained at `/errors/{code}`.";

/// The routes of every service, wherever it runs.
pub fn all_routes() -> Vec<RouteInfo> {
    let mut routes = user::routes().infos();
    routes.extend(product::routes().infos());
    routes.extend(cart::routes().infos());
    routes.extend(order::routes().infos());
    routes.extend(feed::routes().infos());
    routes.extend(notification::routes().infos());
    routes
}

/// The OpenAPI 3.1 document of all routes.
pub fn openapi() -> OpenApi {
    openapi::document("Rialto", env!("CARGO_PKG_VERSION"), ABOUT, &all_routes())
}
