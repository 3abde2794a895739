//! What handlers take.

use std::convert::Infallible;
use std::fmt::Display;
use std::ops::Deref;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kernel::problem::codes;
use kernel::{Caller, FieldError, Kind, Problem, Validate, Violations};
use serde::de::DeserializeOwned;

use super::{ApiError, json};

/// Limits that the [`route`](super::route) guard hands to extractors.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) bytes: usize,
    pub(super) depth: usize,
}

/// A JSON body that keeps its own rules.
#[derive(Debug, Clone)]
pub struct Valid<T>(pub T);

impl<S: Sync, T: DeserializeOwned + Validate> FromRequest<S> for Valid<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let limits = request.extensions().get::<BodyLimits>().copied();
        let limits = limits.unwrap_or(BodyLimits {
            bytes: 1 << 20,
            depth: 32,
        });
        if !is_json(&request) {
            let detail = "send the body as application/json";
            let code = codes::UNSUPPORTED_MEDIA;
            return Err(Problem::new(Kind::UnsupportedMedia, code, detail).into());
        }
        let body = Limited::new(request.into_body(), limits.bytes)
            .collect()
            .await;
        let body = body
            .map_err(|error| unread(error.as_ref(), limits.bytes))?
            .to_bytes();
        let value: T = json::read(&body, limits.depth)?;
        let errors = Violations::of(&value);
        if errors.is_empty() {
            Ok(Self(value))
        } else {
            Err(Problem::invalid(errors).into())
        }
    }
}

fn is_json(request: &Request) -> bool {
    let value = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value.map(|value| value.split(';').next().unwrap_or_default().trim());
    essence.is_some_and(|essence| {
        let essence = essence.to_ascii_lowercase();
        essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"))
    })
}

fn unread(error: &(dyn std::error::Error + 'static), limit: usize) -> Problem {
    if error.is::<LengthLimitError>() {
        let detail = format!("the body is larger than {limit} bytes");
        return Problem::new(Kind::TooLarge, codes::TOO_LARGE, detail);
    }
    Problem::new(Kind::Malformed, codes::MALFORMED, "the body broke off")
}

/// The query of the address; unknown fields are refused.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned + Validate> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        let value: T = serde_path_to_error::deserialize(pairs).map_err(|error| {
            let pointer = error.path().to_string();
            let pointer = if pointer == "." {
                String::from("query")
            } else {
                pointer
            };
            let detail = error.inner().to_string();
            Problem::invalid(vec![FieldError {
                pointer,
                code: codes::INVALID.into(),
                detail,
            }])
        })?;
        let mut errors = Violations::of(&value);
        if errors.is_empty() {
            return Ok(Self(value));
        }
        // Fields of a query go by their names; only those of a body by pointers.
        for error in &mut errors {
            error.pointer = error.pointer.trim_start_matches('/').to_owned();
        }
        Err(Problem::invalid(errors).into())
    }
}

/// An id, slug or name in the path. What cannot be one names nothing: 404.
#[derive(Debug, Clone, Copy)]
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err: Display> + Send> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| missing(error.body_text()))?;
        let id = text
            .parse()
            .map_err(|error: T::Err| missing(error.to_string()))?;
        Ok(Self(id))
    }
}

/// Two ids in the path, the outer one first.
#[derive(Debug, Clone, Copy)]
pub struct PathIds<A, B>(pub A, pub B);

impl<S, A, B> FromRequestParts<S> for PathIds<A, B>
where
    S: Send + Sync,
    A: FromStr<Err: Display> + Send,
    B: FromStr<Err: Display> + Send,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path((outer, inner)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|error| missing(error.body_text()))?;
        let outer = outer
            .parse()
            .map_err(|error: A::Err| missing(error.to_string()))?;
        let inner = inner
            .parse()
            .map_err(|error: B::Err| missing(error.to_string()))?;
        Ok(Self(outer, inner))
    }
}

fn missing(detail: String) -> Problem {
    Problem::new(Kind::NotFound, codes::NO_ROUTE, detail)
}

/// Who is calling, as the [`route`](super::route) guard has found out.
#[derive(Debug, Clone, Default)]
pub struct CallerOf(pub Caller);

impl Deref for CallerOf {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for CallerOf {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get::<CallerOf>()
            .cloned()
            .unwrap_or_default())
    }
}
