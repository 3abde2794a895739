//! What goes wrong, told the same way everywhere: RFC 9457 problem details with a stable code.
//!
//! A service has one error enum that implements [`Fault`]: a [`Kind`] (which decides the status)
//! and a [`Code`] (which clients match on). [`Problem`] is the form on the wire, to clients and
//! between services alike; the code survives every hop.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What class of thing went wrong. A closed set: it decides the HTTP status and whether a retry
/// can help, and nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 400: the request cannot be read.
    Malformed,
    /// 401: nobody, or a token that does not count.
    Unauthenticated,
    /// 402: the payment was refused.
    PaymentRequired,
    /// 403: somebody, but not allowed.
    Forbidden,
    /// 404: missing, or not yours.
    NotFound,
    /// 405: the path exists, the method does not.
    MethodNotAllowed,
    /// 408: the client took too long to send it.
    RequestTimeout,
    /// 409: at odds with the present state.
    Conflict,
    /// 412: `If-Match` names a version that is gone.
    Stale,
    /// 413: the body is larger than the limit.
    TooLarge,
    /// 414: the target is longer than the limit.
    UriTooLong,
    /// 415: not a media type that the route reads.
    UnsupportedMedia,
    /// 422: well formed, but breaks a rule.
    Invalid,
    /// 428: the route demands `If-Match` or `Idempotency-Key`.
    PreconditionRequired,
    /// 429: too often; `Retry-After` says when again.
    TooMany,
    /// 431: the header section is larger than the limit.
    HeadersTooLarge,
    /// 500: a defect or a broken machine; the cause is in the log under the trace id.
    Internal,
    /// 502: a server behind this one broke off, or answered what cannot be read.
    BadGateway,
    /// 503: overloaded, draining, or a part that is needed is away; try again.
    Unavailable,
    /// 504: no answer within the deadline.
    DeadlineExceeded,
}

const KINDS: [(Kind, u16, &str); 20] = [
    (Kind::Malformed, 400, "Malformed request"),
    (Kind::Unauthenticated, 401, "Not authenticated"),
    (Kind::PaymentRequired, 402, "Payment refused"),
    (Kind::Forbidden, 403, "Not allowed"),
    (Kind::NotFound, 404, "Not found"),
    (Kind::MethodNotAllowed, 405, "Method not allowed"),
    (Kind::RequestTimeout, 408, "Request not sent in time"),
    (Kind::Conflict, 409, "Conflict with the present state"),
    (Kind::Stale, 412, "Changed in the meantime"),
    (Kind::TooLarge, 413, "Body too large"),
    (Kind::UriTooLong, 414, "Address too long"),
    (Kind::UnsupportedMedia, 415, "Media type not supported"),
    (Kind::Invalid, 422, "Invalid request"),
    (Kind::PreconditionRequired, 428, "Precondition required"),
    (Kind::TooMany, 429, "Too many requests"),
    (Kind::HeadersTooLarge, 431, "Header fields too large"),
    (Kind::Internal, 500, "Internal error"),
    (Kind::BadGateway, 502, "Bad answer from upstream"),
    (Kind::Unavailable, 503, "Temporarily unavailable"),
    (Kind::DeadlineExceeded, 504, "No answer in time"),
];

impl Kind {
    /// The HTTP status code.
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// The problem's title: the same for every problem of this kind.
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// The kind that a status stands for, for problems that come from another process.
    pub fn from_status(status: u16) -> Self {
        let known = KINDS.iter().find(|row| row.1 == status);
        known.map_or(Self::Internal, |row| row.0)
    }

    /// Whether the same request may succeed later without anybody changing anything.
    pub fn transient(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::DeadlineExceeded | Self::TooMany
        )
    }

    fn row(self) -> &'static (Self, u16, &'static str) {
        KINDS
            .iter()
            .find(|row| row.0 == self)
            .expect("every kind has a row")
    }
}

/// A stable name that clients match on, such as `order.out_of_stock`. Made only by
/// [`codes!`](crate::codes), so that each one is on the list that the documentation test walks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    #[doc(hidden)]
    pub const fn declare(code: &'static str) -> Self {
        Self(code)
    }

    /// The text of the code.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl From<Code> for Cow<'static, str> {
    fn from(code: Code) -> Self {
        Cow::Borrowed(code.0)
    }
}

impl PartialEq<Code> for Cow<'_, str> {
    fn eq(&self, other: &Code) -> bool {
        self == other.0
    }
}

/// Declares error codes as constants, and `ALL` of them as a list. Each needs a page
/// `docs/errors/<code>.md`.
///
/// ```
/// kernel::codes! {
///     /// Nothing is left of an article.
///     OUT_OF_STOCK = "order.out_of_stock",
/// }
/// assert_eq!(ALL, [OUT_OF_STOCK]);
/// ```
#[macro_export]
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)+) => {
        $($(#[$doc])* pub const $name: $crate::Code = $crate::Code::declare($code);)+
        /// Every code of this list.
        pub const ALL: &[$crate::Code] = &[$($name),+];
    };
}

/// The codes that belong to no single service.
pub mod codes {
    crate::codes! {
        /// The request cannot be read: broken JSON, a bad header, a bad path.
        MALFORMED = "request.malformed",
        /// The rest of the request did not come in time.
        REQUEST_TIMEOUT = "request.timeout",
        /// Readable, but a field breaks a rule; `errors` names each.
        INVALID = "request.invalid",
        /// The body is nested more deeply than the limit.
        TOO_DEEP = "request.too_deep",
        /// The body is larger than the limit.
        TOO_LARGE = "request.too_large",
        /// The target is longer than the limit.
        URI_TOO_LONG = "request.uri_too_long",
        /// The header section is larger than the limit.
        HEADERS_TOO_LARGE = "request.headers_too_large",
        /// The media type of the body is not one that the route reads.
        UNSUPPORTED_MEDIA = "request.unsupported_media_type",
        /// The cursor was not made by this list with this filter.
        BAD_CURSOR = "request.bad_cursor",
        /// No route has this path.
        NO_ROUTE = "request.no_route",
        /// The path exists, but not with this method.
        METHOD_NOT_ALLOWED = "request.method_not_allowed",
        /// The route demands `If-Match`.
        IF_MATCH_REQUIRED = "request.if_match_required",
        /// `If-Match` names a version that is gone.
        STALE = "request.stale",
        /// `Cache-Control: only-if-cached`, and the cache has no answer that it may use.
        NOT_CACHED = "request.not_cached",
        /// No token where one is needed.
        UNAUTHENTICATED = "auth.required",
        /// The token is malformed, forged, expired or for somebody else.
        BAD_TOKEN = "auth.bad_token",
        /// The caller may not do this.
        FORBIDDEN = "auth.forbidden",
        /// The route demands an `Idempotency-Key`.
        KEY_REQUIRED = "idempotency.key_required",
        /// The `Idempotency-Key` is empty, too long, or too short for an anonymous caller.
        BAD_KEY = "idempotency.bad_key",
        /// The key was used before with another payload.
        KEY_REUSED = "idempotency.key_reused",
        /// The first request with this key is still running.
        KEY_RUNNING = "idempotency.still_running",
        /// More requests than the limit allows.
        RATE_LIMITED = "limit.rate",
        /// A queue is full; nothing was done.
        OVERLOADED = "server.overloaded",
        /// No answer within the deadline.
        DEADLINE = "server.deadline_exceeded",
        /// A server behind the gateway broke off, or answered what cannot be read.
        BAD_UPSTREAM = "gateway.bad_upstream",
        /// The servers behind the gateway have as much to do as they may have.
        UPSTREAM_OVERLOADED = "gateway.upstream_overloaded",
        /// The path can be read in more than one way.
        BAD_PATH = "gateway.bad_path",
        /// The request is not what the document of the API says; `errors` names each place.
        REQUEST_INVALID = "gateway.request_invalid",
        /// A part that the answer needs is away.
        UNAVAILABLE = "server.unavailable",
        /// A defect or a broken machine.
        INTERNAL = "server.internal",
    }
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the request body, or the name of a query or header field.
    #[schema(example = "/lines/0/quantity")]
    pub pointer: String,
    /// What is wrong, stable.
    #[schema(value_type = String, example = "request.invalid")]
    pub code: Cow<'static, str>,
    /// What is wrong, for people.
    pub detail: String,
}

/// An error that a service can answer with.
pub trait Fault: Error + Send + Sync + 'static {
    /// Decides the status.
    fn kind(&self) -> Kind;
    /// What clients match on.
    fn code(&self) -> Code;
    /// The fields that are wrong, if fields are.
    fn fields(&self) -> Vec<FieldError> {
        Vec::new()
    }
    /// Facts for the client to act on, such as how many are left.
    fn context(&self) -> Map<String, Value> {
        Map::new()
    }
    /// After how many seconds a retry makes sense.
    fn retry_after(&self) -> Option<u32> {
        None
    }
    /// The problem of another service that this error only passes on.
    fn relayed(&self) -> Option<&Problem> {
        None
    }
}

/// RFC 9457 problem details. Boxed inside, so that results stay small.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problem(Box<ProblemDetails>);

/// The fields of a [`Problem`], as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDetails {
    /// The page that explains the code.
    #[serde(rename = "type")]
    #[schema(example = "/errors/order.out_of_stock")]
    pub type_uri: String,
    /// The same for every problem of this status.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What happened, for people.
    pub detail: String,
    /// What clients match on; stable.
    #[schema(value_type = String, example = "order.out_of_stock")]
    pub code: Cow<'static, str>,
    /// The path of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Finds the request in logs and traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The fields that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Facts to act on.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub context: Map<String, Value>,
    /// After how many seconds a retry makes sense; also in `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    #[serde(skip)]
    cause: Cause,
}

/// What lies behind an internal problem: for the log of the process where it happened, never for
/// the wire.
#[derive(Debug, Clone, Default)]
struct Cause(Option<Arc<dyn Error + Send + Sync>>);

/// Two problems are the same if clients cannot tell them apart.
impl PartialEq for Cause {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Cause {}

impl Problem {
    /// A problem of `kind` with `code`, explained by `detail`.
    pub fn new(kind: Kind, code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemDetails {
            type_uri: format!("/errors/{code}"),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            code: code.into(),
            instance: None,
            trace_id: None,
            errors: Vec::new(),
            context: Map::new(),
            retry_after: None,
            cause: Cause::default(),
        }))
    }

    /// Fields that break rules.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.len() {
            1 => String::from("a field is not valid"),
            count => format!("{count} fields are not valid"),
        };
        Self::new(Kind::Invalid, codes::INVALID, detail).with_errors(errors)
    }

    /// A needed part is away; worth another try after `seconds`.
    pub fn unavailable(code: Code, detail: impl Into<String>, seconds: u32) -> Self {
        Self::new(Kind::Unavailable, code, detail).again_after(seconds)
    }

    /// The body of a request has not come in time.
    pub fn late_body() -> Self {
        let detail = "the body of the request did not come in time";
        Self::new(Kind::RequestTimeout, codes::REQUEST_TIMEOUT, detail)
    }

    /// The same problem, worth another try after `seconds`.
    pub fn again_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The same problem with the fields that are wrong.
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// The same problem with a status of HTTP that no kind has: what is no request is told by more of them.
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = status;
        self
    }

    /// The same problem with one more fact.
    pub fn with_context(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.context.insert(name.to_owned(), value.into());
        self
    }

    /// The same problem, told where and under which trace it happened, unless it knows already.
    pub fn at(mut self, instance: &str, trace_id: Option<String>) -> Self {
        self.0.instance.get_or_insert_with(|| instance.to_owned());
        if self.0.trace_id.is_none() {
            self.0.trace_id = trace_id;
        }
        self
    }

    /// The class of the problem, from its status.
    pub fn kind(&self) -> Kind {
        Kind::from_status(self.0.status)
    }

    /// Whether this is the problem that `code` names.
    pub fn is(&self, code: Code) -> bool {
        self.0.code == code
    }
}

/// The problem that a fault amounts to. The fault behind an internal or transient problem stays
/// with it as its [`source`](Error::source), for the log; the client learns only that there was one.
impl<F: Fault> From<F> for Problem {
    fn from(fault: F) -> Self {
        if let Some(problem) = fault.relayed() {
            return problem.clone();
        }
        let kind = fault.kind();
        let detail = match kind {
            Kind::Internal => String::from("an internal error; the trace id finds it in the log"),
            _ => fault.to_string(),
        };
        let mut problem = Self::new(kind, fault.code(), detail);
        problem.0.errors = fault.fields();
        problem.0.context = fault.context();
        problem.0.retry_after = fault.retry_after();
        if matches!(
            kind,
            Kind::Internal | Kind::Unavailable | Kind::DeadlineExceeded
        ) {
            problem.0.cause = Cause(Some(Arc::new(fault)));
        }
        problem
    }
}

impl Deref for Problem {
    type Target = ProblemDetails;

    fn deref(&self) -> &ProblemDetails {
        &self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .cause
            .0
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_names_its_kind() {
        for (kind, status, _) in KINDS {
            assert_eq!(Kind::from_status(status), kind);
            assert_eq!(kind.status(), status);
        }
    }

    #[test]
    fn survives_the_wire() {
        let problem = Problem::new(Kind::Conflict, codes::STALE, "gone").with_context("left", 3);
        let json = serde_json::to_string(&problem).expect("json");
        let back: Problem = serde_json::from_str(&json).expect("problem");
        assert_eq!(back, problem);
        assert!(back.is(codes::STALE));
    }
}
