//! `/openapi.json`, and a reference to browse at `/docs`, from assets in the program.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::ApiError;
use utoipa_swagger_ui::Config;

/// The document and the pages that show it.
pub(crate) fn router(openapi: String) -> Router {
    let openapi = Bytes::from(openapi);
    Router::new()
        .route(
            "/openapi.json",
            get(move || std::future::ready(document(openapi.clone()))),
        )
        .route(
            "/",
            get(|| std::future::ready(Redirect::temporary("/docs/"))),
        )
        .route(
            "/docs",
            get(|| std::future::ready(Redirect::permanent("/docs/"))),
        )
        .route("/docs/", get(index))
        .route("/docs/{*file}", get(asset))
        .with_state(Arc::new(
            Config::from("/openapi.json").try_it_out_enabled(true),
        ))
}

fn document(openapi: Bytes) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=60"),
    ];
    (headers, openapi).into_response()
}

type Pages = Arc<Config<'static>>;

async fn index(State(pages): State<Pages>) -> Result<Response, ApiError> {
    page("index.html", pages)
}

async fn asset(State(pages): State<Pages>, Path(file): Path<String>) -> Result<Response, ApiError> {
    page(&file, pages)
}

fn page(file: &str, pages: Pages) -> Result<Response, ApiError> {
    let found = utoipa_swagger_ui::serve(file, pages).ok().flatten();
    let found =
        found.ok_or_else(|| Problem::new(Kind::NotFound, codes::NO_ROUTE, "no such page"))?;
    let headers = [
        (CONTENT_TYPE, found.content_type),
        (CACHE_CONTROL, String::from("public, max-age=3600")),
    ];
    Ok((headers, found.bytes.into_owned()).into_response())
}
