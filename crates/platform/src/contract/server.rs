//! The side that answers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use kernel::contract::{Dispatch, unknown_method};
use kernel::problem::codes;
use kernel::{Kind, Problem, Sources};
use tower::{Service, ServiceExt};
use wire::Body;

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
) -> Result<axum::response::Response, ApiError> {
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
/// in the answer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PeersOnly<S> {
    key: PeerKey,
    sources: Sources,
    inner: S,
}

impl<S> PeersOnly<S> {
    /// `inner`, for processes that know `key`.
    pub fn new(key: PeerKey, sources: Sources, inner: S) -> Self {
        Self {
            key,
            sources,
            inner,
        }
    }

    /// The proof of the request, if it holds.
    fn proof(&self, request: &Request<Body>) -> Option<String> {
        let proof = request.headers().get(PROOF)?.to_str().ok()?;
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let (now, method) = (self.sources.now(), request.method().as_str());
        let proved = self.key.proved(proof, now, method, path);
        proved.then(|| proof.to_owned())
    }
}

impl<S> Service<Request<Body>> for PeersOnly<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(proof) = self.proof(&request) else {
            let detail =
                "this listener is for processes of the shop; check internal.key and the clocks";
            let problem = Problem::new(Kind::Unauthenticated, codes::UNAUTHENTICATED, detail);
            // No entry stands around this one, which would write the problem.
            let refusal = write(&problem.at(request.uri().path(), None));
            return Box::pin(std::future::ready(Ok(refusal)));
        };
        let (key, inner) = (self.key.clone(), self.inner.clone());
        Box::pin(async move {
            let mut response = inner.oneshot(request).await?;
            let answer = key.acknowledge(&proof, response.status().as_u16());
            response.headers_mut().insert(PROOF, answer);
            Ok(response)
        })
    }
}
