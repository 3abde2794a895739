//! Routes that send the client elsewhere.

use http::header::LOCATION;
use http::{HeaderValue, Request, Response, StatusCode};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::refuse;
use wire::Body;

use crate::rewrite::Rewrite;
use crate::table;

/// Where to.
#[derive(Debug)]
pub(crate) struct Redirect {
    to: Rewrite,
    /// Whether it is on the same host.
    local: bool,
    status: StatusCode,
}

impl Redirect {
    /// For a checked route.
    pub(crate) fn new(route: &table::Route) -> Option<Self> {
        let redirect = route.redirect.as_ref()?;
        Some(Self {
            to: Rewrite::new(&route.path, &redirect.to)?,
            local: redirect.to.starts_with('/'),
            status: StatusCode::from_u16(redirect.status).ok()?,
        })
    }

    /// 301, 302, 303, 307 or 308.
    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Where a target is now: what leads to a path leads to this host, whatever the target had (two slashes
    /// would be followed by another one: RFC 3986, section 4.2), and a query that there is not leaves no mark.
    pub(crate) fn location(&self, path: &str, query: Option<&str>) -> String {
        let mut location = self.to.of(path, query);
        if self.local {
            let doubled = location.bytes().take_while(|byte| *byte == b'/').count();
            location.replace_range(..doubled.saturating_sub(1), "");
        }
        if query.is_none() && location.ends_with('?') {
            location.pop();
        }
        location
    }

    /// Answers.
    pub(crate) fn call(&self, request: &Request<Body>) -> Response<Body> {
        let uri = request.uri();
        let Ok(location) = HeaderValue::try_from(self.location(uri.path(), uri.query())) else {
            let detail = "the target has characters that no location can have";
            return refuse(Problem::new(Kind::Malformed, codes::BAD_PATH, detail));
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.headers_mut().insert(LOCATION, location);
        response
    }
}
