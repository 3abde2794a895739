//! Refuses requests that do not fit, before they go on.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;
use kernel::problem::codes;
use kernel::{FieldError, Kind, Problem};
use platform::http::refuse;
use wire::Body;
use wire::server::Answers;

use super::check::{Checker, Place, Violation};
use super::document::{Asked, Operation};
use super::media::{Content, RequestBody};
use super::parameters::{self, Written};
use super::schema::Id;
use super::settings::Otherwise;
use super::{Validation, value};
use crate::dispatch::method_not_allowed;
use crate::filter::{Filter, answer};
use crate::json_body::{Looked, Unfit, Unread, look};

/// Where what is wrong with a body is.
const BODY: Place<'_> = Place::Root("/body");

/// Checks the requests of one route. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ValidateFilter {
    validation: Arc<Validation>,
    /// How long a body may take to come.
    patience: Duration,
}

impl ValidateFilter {
    /// Checks by `validation`; a body may take `patience` to come.
    pub(crate) fn new(validation: &Arc<Validation>, patience: Duration) -> Self {
        Self {
            validation: validation.clone(),
            patience,
        }
    }

    /// What a request is checked by, for people.
    pub(crate) fn explain(&self, method: &Method, path: &str) -> String {
        let Validation { settings, document } = &*self.validation;
        let what = match document.find(method, path) {
            Asked::Operation(operation, _) => operation.name.as_str(),
            _ if settings.undocumented == Otherwise::Allow => "not there, sent on",
            _ => "not there, refused",
        };
        format!("{}: {what}", settings.openapi.get_ref().display())
    }

    /// The request as it was, or what it is answered with.
    async fn admit(&self, request: Request<Body>) -> Result<Request<Body>, Response<Body>> {
        let Validation { settings, document } = &*self.validation;
        let (parts, body) = request.into_parts();
        match document.find(&parts.method, parts.uri.path()) {
            Asked::Operation(operation, path) => {
                let body = self.check(operation, path, &parts, body).await;
                let body = body.map_err(refuse)?;
                Ok(Request::from_parts(parts, body))
            }
            _ if settings.undocumented == Otherwise::Allow => Ok(Request::from_parts(parts, body)),
            Asked::OtherMethods(methods) => Err(method_not_allowed(&methods)),
            Asked::Nothing => {
                let detail = "the document of this API does not have this path";
                Err(refuse(Problem::new(
                    Kind::NotFound,
                    codes::NO_ROUTE,
                    detail,
                )))
            }
        }
    }

    async fn check(
        &self,
        operation: &Operation,
        path: &str,
        parts: &Parts,
        body: Body,
    ) -> Result<Body, Problem> {
        let Validation { settings, document } = &*self.validation;
        let mut checker = Checker::new(&document.schemas);
        if settings.parameters {
            let written = Written::new(&operation.template, path, parts);
            let unknown = settings.unknown_query == Otherwise::Refuse;
            parameters::check(operation, &written, unknown, &mut checker);
        }
        let body = match &operation.body {
            None => body,
            Some(wanted) => self.body(wanted, parts, body, &mut checker).await?,
        };
        let found = checker.found();
        if found.is_empty() {
            Ok(body)
        } else {
            Err(invalid(found))
        }
    }

    /// Checks a body that an operation takes.
    async fn body(
        &self,
        wanted: &RequestBody,
        parts: &Parts,
        body: Body,
        checker: &mut Checker<'_>,
    ) -> Result<Body, Problem> {
        if body.is_end_stream() || body.whole().is_some_and(<[u8]>::is_empty) {
            if wanted.required {
                checker.report(&BODY, "a body is required");
            }
            return Ok(body);
        }
        let mut kinds = parts.headers.get_all(CONTENT_TYPE).iter();
        let kind: Option<&HeaderValue> = kinds.next().filter(|_| kinds.next().is_none());
        match wanted.content(kind) {
            None => {
                let detail = format!("send the body as {}", wanted.names());
                Err(unsupported(detail))
            }
            Some(Content::Any) => Ok(body),
            Some(Content::Json(schema)) => {
                let read = self.read(parts, body).await?;
                self.json(read, (wanted, schema), checker)
            }
        }
    }

    fn json(
        &self,
        read: Looked,
        (wanted, schema): (&RequestBody, Id),
        checker: &mut Checker<'_>,
    ) -> Result<Body, Problem> {
        match read {
            Looked::Document(text) => {
                match value::read(&text) {
                    Ok(value) => checker.check(schema, &value, &BODY),
                    Err(error) => checker.report(&BODY, format!("the body is not taken: {error}")),
                }
                Ok(Body::full(text))
            }
            Looked::Empty => {
                if wanted.required {
                    checker.report(&BODY, "a body is required");
                }
                Ok(Body::empty())
            }
            Looked::Unfit(Unfit::NotJson, body) => {
                checker.report(&BODY, "the body is no JSON");
                Ok(body)
            }
            Looked::Unfit(Unfit::Encoded, _) => Err(unsupported(String::from(
                "the body is compressed, and is checked: send it plain",
            ))),
            Looked::Unfit(Unfit::TooLong, _) => {
                let limit = self.validation.settings.limit.0;
                let detail = format!("the body is longer than {limit} bytes");
                Err(Problem::new(Kind::TooLarge, codes::TOO_LARGE, detail))
            }
        }
    }

    async fn read(&self, parts: &Parts, body: Body) -> Result<Looked, Problem> {
        let limit = self.validation.settings.limit.0;
        let looked = look(&parts.headers, body, limit, self.patience).await;
        looked.map_err(|unread| match unread {
            Unread::Late => Problem::late_body(),
            Unread::BrokeOff => {
                let detail = "the body of the request broke off";
                Problem::new(Kind::Malformed, codes::MALFORMED, detail)
            }
        })
    }
}

fn unsupported(detail: String) -> Problem {
    Problem::new(Kind::UnsupportedMedia, codes::UNSUPPORTED_MEDIA, detail)
}

fn invalid(found: Vec<Violation>) -> Problem {
    let detail = "the request is not what the operation takes; `errors` says where";
    let errors = found
        .into_iter()
        .map(|Violation { pointer, detail }| FieldError {
            pointer,
            code: codes::REQUEST_INVALID.into(),
            detail,
        });
    Problem::new(Kind::Malformed, codes::REQUEST_INVALID, detail).with_errors(errors.collect())
}

impl Filter for ValidateFilter {
    async fn pass<S: Answers>(&self, inner: S, request: Request<Body>) -> Response<Body> {
        match self.admit(request).await {
            Ok(request) => answer(inner, request).await,
            Err(refused) => refused,
        }
    }
}
