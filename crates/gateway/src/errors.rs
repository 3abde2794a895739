//! `/errors/{code}`: the page that explains an error code, where the `type` of a problem points.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::ApiError;

include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// The pages of `docs/errors`, as Markdown.
pub(crate) fn router() -> Router {
    Router::new().route("/errors/{code}", get(page))
}

async fn page(Path(code): Path<String>) -> Result<Response, ApiError> {
    let found = PAGES.binary_search_by_key(&code.as_str(), |(name, _)| name);
    let missing = || Problem::new(Kind::NotFound, codes::NO_ROUTE, "no such error code");
    let (_, text) = PAGES[found.map_err(|_| missing())?];
    let headers = [
        (CONTENT_TYPE, "text/markdown; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=3600"),
    ];
    Ok((headers, text).into_response())
}
