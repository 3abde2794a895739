//! `Cache-Status` (RFC 9211): what the cache did, on every answer.

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request went on to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    /// The cache was not asked.
    Bypass,
    /// The method is not one that is stored.
    Method,
    /// Nothing is stored for the target.
    UriMiss,
    /// What is stored may not be used for this request.
    Miss,
    /// What is stored answers requests that say something else in the fields of `Vary`.
    VaryMiss,
    /// The request wants to hear the upstream.
    Request,
    /// What is stored is stale.
    Stale,
}

impl Forward {
    const fn name(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::Miss => "miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

/// What is told of a request that went on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    /// What the upstream said, where the client hears something else.
    pub(crate) upstream: Option<u16>,
    /// The answer is being stored.
    pub(crate) stored: bool,
    /// Another request fetched the answer.
    pub(crate) collapsed: bool,
    /// Why it was not stored, or what else there is to know.
    pub(crate) detail: Option<&'static str>,
}

/// Appends what is told; what caches nearer to the upstream told stays before it.
pub(crate) fn tell(headers: &mut HeaderMap, forward: Forward, told: Told) {
    headers.append(CACHE_STATUS, forwarded(forward, told));
}

/// The value for a request that went on.
pub(crate) fn forwarded(forward: Forward, told: Told) -> HeaderValue {
    let mut text = format!("Rialto; fwd={}", forward.name());
    if let Some(status) = told.upstream {
        text.push_str("; fwd-status=");
        text.push_str(itoa::Buffer::new().format(status));
    }
    if told.stored {
        text.push_str("; stored");
    }
    if told.collapsed {
        text.push_str("; collapsed");
    }
    if let Some(detail) = told.detail {
        text.push_str("; detail=");
        text.push_str(detail);
    }
    HeaderValue::try_from(text).expect("letters and digits")
}

/// The value for an answer from the cache that is fresh for so many seconds, or has not been for
/// so many.
pub(crate) fn hit(ttl: i64, detail: Option<&'static str>) -> HeaderValue {
    let mut text = Vec::with_capacity(48);
    text.extend_from_slice(b"Rialto; hit; ttl=");
    text.extend_from_slice(itoa::Buffer::new().format(ttl).as_bytes());
    if let Some(detail) = detail {
        text.extend_from_slice(b"; detail=");
        text.extend_from_slice(detail.as_bytes());
    }
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).expect("letters and digits")
}

/// The value for an answer that the cache made up itself.
pub(crate) fn own(detail: &'static str) -> HeaderValue {
    HeaderValue::try_from(format!("Rialto; detail={detail}")).expect("letters and digits")
}
