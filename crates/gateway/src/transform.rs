//! Requests and responses of a route that are changed on their way: header fields, the query, the
//! status, and JSON bodies.
//!
//! A request is changed after everything that may refuse it, and before the upstream; a response
//! between whoever answers (a cache, which keeps what the upstream has said, or the upstream) and
//! the client. What is not named stays as it is. A body is read only if it is changed, or if an
//! expression names it, and never beyond a limit. What the gateway itself refuses is not changed.

mod body;
mod change;
mod fields;
mod json;
pub(crate) mod settings;
mod template;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::{is_refusal, refuse};
use wire::Body;
use wire::server::Answers;

use self::body::describe;
use self::change::{Before, Change};
use self::settings::Status;
pub(crate) use self::settings::{RequestSettings, ResponseSettings};
use self::template::Asked;
use crate::filter::{Filter, answer};
use crate::identity::Identity;
use crate::router::Template;
use crate::table;

/// What is wrong, and where in the text.
type Finding = (Option<Range<usize>>, String);

/// Changes the requests and responses of one route. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TransformFilter(Arc<Transform>);

#[derive(Debug)]
struct Transform {
    path: Option<Template>,
    request: Option<Change>,
    response: Option<Change>,
    status: Option<Status>,
    /// How long a body may take to come.
    patience: Duration,
}

impl TransformFilter {
    /// Of a route, if it changes anything; everything that is wrong is told with its place.
    /// `patience` is how long a body may take to come.
    pub(crate) fn of(
        route: &table::Route,
        patience: Duration,
    ) -> Result<Option<Self>, Vec<Finding>> {
        let settings = (route.request.as_ref(), route.response.as_ref());
        match settings {
            (None, None) => Ok(None),
            _ => Self::new(&route.path, settings, patience).map(Some),
        }
    }

    pub(crate) fn new(
        path: &str,
        (request, response): (Option<&RequestSettings>, Option<&ResponseSettings>),
        patience: Duration,
    ) -> Result<Self, Vec<Finding>> {
        let mut wrong = Vec::new();
        let path = Template::new(path).ok();
        let captures = path.as_ref().map_or(&[][..], Template::names);
        let request = request.map(|settings| Change::of_request(settings, captures, &mut wrong));
        let status = response.and_then(|settings| settings.status.as_ref());
        let response = response.map(|settings| Change::of_response(settings, captures, &mut wrong));
        if let Some(status) = status
            && let Err(problem) = check_status(status.get_ref())
        {
            wrong.push((Some(status.span()), problem));
        }
        let status = status.map(|status| status.get_ref().clone());
        if wrong.is_empty() {
            Ok(Self(Arc::new(Transform {
                path,
                request,
                response,
                status,
                patience,
            })))
        } else {
            Err(wrong)
        }
    }
}

impl Filter for TransformFilter {
    async fn pass<S: Answers>(&self, inner: S, request: Request<Body>) -> Response<Body> {
        let transform = &*self.0;
        let head = request.method() == Method::HEAD;
        let before = transform.before(&request);
        let request = match transform.request(request, &before).await {
            Ok(request) => request,
            Err(problem) => return refuse(problem),
        };
        let response = answer(inner, request).await;
        if is_refusal(&response) {
            return response;
        }
        transform.response(response, &before, head).await
    }
}

impl Transform {
    /// Keeps of a request what expressions name.
    fn before(&self, request: &Request<Body>) -> Before {
        let changes = || self.request.iter().chain(&self.response);
        let asked = changes().any(|change| change.engine.uses().request);
        let caller = changes().any(|change| change.engine.uses().identity);
        Before {
            asked: asked.then(|| Asked {
                method: request.method().clone(),
                uri: request.uri().clone(),
                headers: request.headers().clone(),
                captures: self.captures(request.uri().path()),
            }),
            caller: caller
                .then(|| request.extensions().get::<Arc<Identity>>().cloned())
                .flatten(),
        }
    }

    fn captures(&self, path: &str) -> Vec<(String, String)> {
        let Some(template) = &self.path else {
            return Vec::new();
        };
        let values = template.captures(path).into_iter().map(str::to_owned);
        template.names().iter().cloned().zip(values).collect()
    }

    async fn request(
        &self,
        request: Request<Body>,
        before: &Before,
    ) -> Result<Request<Body>, Problem> {
        let (mut parts, body) = request.into_parts();
        let mut body = body;
        if let Some(change) = &self.request {
            let made = change.make(&parts.headers, body, (before, None), self.patience);
            let made = made.await?;
            if !change.query.is_empty() {
                let query = parts.uri.query().unwrap_or_default();
                parts.uri = with_query(&parts.uri, &change.query.apply(query, made.query))?;
            }
            change.describe(&mut parts.headers, made.length);
            change.headers.apply(&mut parts.headers, made.headers);
            body = made.body;
        }
        if self.response.as_ref().is_some_and(Change::needs_plain_body) {
            // What is compressed, or a part of something, cannot be changed.
            parts
                .headers
                .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            parts.headers.remove(RANGE);
            parts.headers.remove(IF_RANGE);
        }
        Ok(Request::from_parts(parts, body))
    }

    async fn response(
        &self,
        response: Response<Body>,
        before: &Before,
        head: bool,
    ) -> Response<Body> {
        let (mut parts, mut body) = response.into_parts();
        if let Some(change) = &self.response {
            let bodiless = head || has_no_body(parts.status);
            if bodiless && change.body.changes() {
                // The length, the digest and the tag are those of a body that nobody will see.
                describe(&mut parts.headers, None, false);
            }
            let seen = Some((parts.status, bodiless));
            let made = change.make(&parts.headers, body, (before, seen), self.patience);
            let made = match made.await {
                Ok(made) => made,
                Err(problem) => return refuse(problem),
            };
            if !bodiless {
                change.describe(&mut parts.headers, made.length);
            }
            change.headers.apply(&mut parts.headers, made.headers);
            body = made.body;
        }
        if let Some(status) = self
            .status
            .as_ref()
            .and_then(|map| mapped(map, parts.status))
        {
            parts.status = status;
        }
        Response::from_parts(parts, body)
    }
}

fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

/// The target with another query.
fn with_query(uri: &Uri, query: &str) -> Result<Uri, Problem> {
    let target = if query.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{query}", uri.path())
    };
    let wrong = || {
        let detail = "the query that the route makes of it is none";
        Problem::new(Kind::Malformed, codes::MALFORMED, detail)
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| wrong())?);
    Uri::from_parts(parts).map_err(|_| wrong())
}

fn check_status(status: &Status) -> Result<(), String> {
    let good = |status: u16| (200..=599).contains(&status) && !matches!(status, 204 | 304);
    let told = |status: u16| {
        format!("{status} is no status of an answer with a body: 200 to 599, not 204 and 304")
    };
    match status {
        Status::All(status) if !good(*status) => Err(told(*status)),
        Status::All(_) => Ok(()),
        Status::Of(map) => {
            for (from, to) in map {
                if from != "*" && !from.parse().is_ok_and(good) {
                    return Err(format!(
                        "`{from}` is no status: a number, or `*` for all others"
                    ));
                }
                if !good(*to) {
                    return Err(told(*to));
                }
            }
            Ok(())
        }
    }
}

/// The status that the client sees.
fn mapped(map: &Status, status: StatusCode) -> Option<StatusCode> {
    // What has no body cannot get one, and the other way round.
    if has_no_body(status) {
        return None;
    }
    let to = match map {
        Status::All(to) => *to,
        Status::Of(map) => *map.get(status.as_str()).or_else(|| map.get("*"))?,
    };
    StatusCode::from_u16(to).ok()
}

#[cfg(test)]
mod tests;
