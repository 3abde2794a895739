//! The side that answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use kernel::contract::{Dispatch, unknown_method};
use kernel::problem::codes;
use kernel::{Kind, Problem, Sources};

use super::PREFIX;
use super::peer_key::{PROOF, PeerKey};
use crate::http::{ApiError, write};

type Services = Arc<BTreeMap<&'static str, Arc<dyn Dispatch>>>;

/// Serves contracts at `/internal/{service}/{method}`.
pub fn contract_router(services: Vec<Arc<dyn Dispatch>>, body_limit: usize) -> Router {
    let services: Services = Arc::new(
        services
            .into_iter()
            .map(|service| (service.service(), service))
            .collect(),
    );
    Router::new()
        .route(&format!("{PREFIX}/{{service}}/{{method}}"), post(dispatch))
        .layer(axum::extract::DefaultBodyLimit::max(body_limit))
        .with_state(services)
}

async fn dispatch(
    State(services): State<Services>,
    Path((service, method)): Path<(String, String)>,
    request: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let request = request.map_err(unread)?;
    let found = services.get(service.as_str());
    let found = found.ok_or_else(|| unknown_method(&service, &method))?;
    let answer = found.dispatch(&method, &request).await?;
    Ok(([(CONTENT_TYPE, "application/json")], answer).into_response())
}

fn unread(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = "the message is larger than internal.body_limit";
        return Problem::new(Kind::TooLarge, codes::TOO_LARGE, detail);
    }
    Problem::new(Kind::Malformed, codes::MALFORMED, "the message broke off")
}

/// Lets only requests through that prove to come from a process of the shop, and proves the same
/// in the answer. A middleware for [`axum::middleware::from_fn_with_state`].
pub async fn authenticate_peer(
    State((key, sources)): State<(PeerKey, Sources)>,
    request: Request,
    next: Next,
) -> Response {
    let proof = request
        .headers()
        .get(PROOF)
        .and_then(|value| value.to_str().ok());
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let proof =
        proof.filter(|proof| key.proved(proof, sources.now(), request.method().as_str(), path));
    let Some(proof) = proof.map(ToOwned::to_owned) else {
        let detail =
            "this listener is for processes of the shop; check internal.key and the clocks";
        let problem = Problem::new(Kind::Unauthenticated, codes::UNAUTHENTICATED, detail);
        // No entry stands around this one, which would write the problem.
        return write(&problem.at(request.uri().path(), None));
    };
    let mut response = next.run(request).await;
    let answer = key.acknowledge(&proof, response.status().as_u16());
    response.headers_mut().insert(PROOF, answer);
    response
}
