//! Answers that went well.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::ETag;

/// Says that the answer is the one that the first request with this key got.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The tags by which shared caches can purge what they keep, separated by blanks.
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");

/// An answer whose JSON is written already, once: to be sent, and to be kept for replays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) replayed: bool,
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) location: Option<String>,
    cache: HeaderValue,
    tags: Option<HeaderValue>,
}

impl Reply {
    fn new(status: StatusCode, body: Bytes) -> Self {
        Self {
            status,
            body,
            replayed: false,
            etag: None,
            location: None,
            cache: HeaderValue::from_static("no-store"),
            tags: None,
        }
    }

    /// 200 with `view`.
    pub fn ok(view: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, json(view))
    }

    /// 200 with JSON that was written before.
    pub fn written(body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, body.into())
    }

    /// 201 with `view`, which is to be had at `location`.
    pub fn created(location: impl Into<String>, view: &impl Serialize) -> Self {
        let location = Some(location.into());
        Self {
            location,
            ..Self::new(StatusCode::CREATED, json(view))
        }
    }

    /// 202 with `view`: taken on, not done yet.
    pub fn accepted(view: &impl Serialize) -> Self {
        Self::new(StatusCode::ACCEPTED, json(view))
    }

    /// 202 without a body.
    pub fn accepted_empty() -> Self {
        Self::new(StatusCode::ACCEPTED, Bytes::new())
    }

    /// 204.
    pub fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, Bytes::new())
    }

    /// 304: the client has seen what the tag that is added names.
    pub fn not_modified() -> Self {
        Self::new(StatusCode::NOT_MODIFIED, Bytes::new())
    }

    /// The answer that an earlier request got, as it was kept.
    pub fn replay(status: u16, body: String) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        Self {
            replayed: true,
            ..Self::new(status, body.into())
        }
    }

    /// The same answer, naming the version of what it shows.
    pub fn tagged(self, etag: ETag) -> Self {
        Self {
            etag: Some(etag.header()),
            ..self
        }
    }

    /// The same answer, which shared caches may keep for a moment and browsers must check.
    pub fn public(self) -> Self {
        Self {
            cache: HeaderValue::from_static("public, max-age=0, s-maxage=1, must-revalidate"),
            ..self
        }
    }

    /// The same answer, which shared caches can purge by any of these tags, separated by blanks.
    pub fn purged_by(self, tags: HeaderValue) -> Self {
        let tags = Some(tags);
        Self { tags, ..self }
    }

    /// The same answer, which everybody may keep for `age`, in whole seconds.
    pub fn public_for(self, age: Duration) -> Self {
        let cache = HeaderValue::try_from(format!("public, max-age={}", age.as_secs()));
        Self {
            cache: cache.expect("letters and digits"),
            ..self
        }
    }

    /// The JSON.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

fn json(view: &impl Serialize) -> Bytes {
    serde_json::to_vec(view)
        .expect("views are plain data")
        .into()
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let empty = self.body.is_empty();
        let mut response = Response::new(self.body.into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !empty {
            // A problem that is replayed is still a problem.
            let problem = self.status.is_client_error() || self.status.is_server_error();
            let kind = if problem {
                "application/problem+json"
            } else {
                "application/json"
            };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        headers.insert(CACHE_CONTROL, self.cache);
        if let Some(tags) = self.tags {
            headers.insert(SURROGATE_KEY, tags);
        }
        if let Some(etag) = self.etag {
            headers.insert(ETAG, etag);
        }
        if let Some(location) = self
            .location
            .and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(LOCATION, location);
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
