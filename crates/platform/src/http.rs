//! HTTP: what every route of every service does the same way.
//!
//! A listener has one [`entry`], which gives each request its trace, its deadline and its request
//! id, and writes problems. Each route has one [`route`](mod@route) guard, which checks its declared
//! access and measures it. Handlers extract ([`Valid`], [`Query`], [`PathId`], [`IfMatch`],
//! [`IdempotencyKey`](crate::idempotency::IdempotencyKey)), call the service, and answer with a
//! [`Reply`].

pub mod entry;
mod etag;
mod extract;
mod json;
pub mod openapi;
mod origin;
mod problem;
pub mod refused;
mod reply;
pub mod route;
pub mod serve;
mod upload;

use std::time::Duration;

use kernel::Sources;

pub use self::etag::{ETag, IfMatch};
pub use self::extract::{CallerOf, PathId, PathIds, Query, Valid};
pub use self::origin::{ClientAddress, Origin, Scheme};
pub use self::problem::{ApiError, is_refusal, refuse, write};
pub use self::reply::Reply;
pub use self::route::{Route, RouteInfo, Routes};
use crate::auth::Authenticator;
use crate::metrics::Metrics;

/// Limits of requests.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// When an answer comes too late.
    pub deadline: Duration,
    /// How long a client may take to send its header section.
    pub header_timeout: Duration,
    /// Bytes of a header section.
    pub header_limit: usize,
    /// Bytes of a request target.
    pub uri_limit: usize,
    /// Bytes of a body.
    pub body_limit: usize,
    /// Bytes of a body that a client has to send each second, on the average, for the time that it takes
    /// not to count; 0 if it counts.
    pub body_rate: usize,
    /// How deeply JSON may be nested.
    pub json_depth: usize,
    /// Answers slower than this are logged.
    pub slow: Duration,
    /// Open connections of a listener.
    pub connections: usize,
    /// Open connections of one client address (of IPv6 a network of 64 bits); 0 for no limit.
    pub connections_per_address: usize,
}

/// What routes need besides their service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpContext {
    /// Limits.
    pub settings: std::sync::Arc<HttpSettings>,
    /// Time and ids.
    pub sources: Sources,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// Who verifies tokens.
    pub authenticator: Authenticator,
}
