//! Problems as answers.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use kernel::{Kind, Problem};
use wire::Body;

/// What a handler fails with: any [`Fault`](kernel::Fault) or [`Problem`], by `?`.
#[derive(Debug)]
pub struct ApiError(Problem);

impl<T: Into<Problem>> From<T> for ApiError {
    fn from(error: T) -> Self {
        Self(error.into())
    }
}

/// Leaves the problem to the [`entry`](super::entry), which knows the request: the body is
/// written there.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = status(&self.0);
        let mut response = status.into_response();
        response
            .extensions_mut()
            .insert(Unwritten(Arc::new(self.0)));
        response
    }
}

/// A problem that has no body yet.
#[derive(Debug, Clone)]
pub(crate) struct Unwritten(pub(crate) Arc<Problem>);

fn status(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An answer that is a problem, for those who are no handlers; the body is written by the
/// [`entry`](super::entry).
pub fn refuse(problem: impl Into<Problem>) -> http::Response<Body> {
    let problem = problem.into();
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = status(&problem);
    response
        .extensions_mut()
        .insert(Unwritten(Arc::new(problem)));
    response
}

/// Whether an answer is a problem of this process whose body is not written yet.
pub fn is_refusal(response: &http::Response<Body>) -> bool {
    response.extensions().get::<Unwritten>().is_some()
}

/// The problem as `application/problem+json`, for those whom no [`entry`](super::entry) stands before.
pub fn write(problem: &Problem) -> http::Response<Body> {
    let body = serde_json::to_vec(problem).expect("problems are plain data");
    let mut response = http::Response::new(Body::full(body));
    *response.status_mut() = status(problem);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if let Some(seconds) = problem.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if problem.kind() == Kind::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
