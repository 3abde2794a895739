//! The innermost service of a route: rewrites the request, and sends it to an upstream.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderName, Request, Response, Uri};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::context::RequestContext;
use platform::http::entry::{REQUEST_ID, TRACEPARENT, write_refusal};
use platform::http::{Origin, refuse};
use tokio::time::Instant;
use wire::client::{Added, Fields};
use wire::deadline::in_time;
use wire::fields::remove_if;
use wire::{Body, turn};

use crate::client_address::{Forwarding, announce, is_announced, is_host};
use crate::rewrite::Rewrite;
use crate::shop::Shop;
use crate::snapshot::Surroundings;
use crate::upstream::{Sending, Upstream};
use crate::{hop, table, trailers};

/// Leads the requests of one route to its upstreams, or to the shop.
#[derive(Debug)]
pub(crate) struct Forward {
    leads_to: LeadsTo,
    /// The path that the upstream sees.
    rewrite: Option<Rewrite>,
    keep_host: bool,
    forwarding: Forwarding,
    deadline: Duration,
    retries: u8,
    hedge: Option<table::Hedge>,
}

/// Who answers.
#[derive(Debug)]
enum LeadsTo {
    /// Each with the end of its part of all shares.
    Upstreams(Vec<(u64, Arc<Upstream>)>),
    /// Nobody but for explanations.
    Shop(Option<Arc<Shop>>),
}

impl LeadsTo {
    /// For a checked route; `find` knows the upstreams by their names.
    fn new(
        route: &table::Route,
        around: &Surroundings,
        find: impl Fn(&str) -> Option<Arc<Upstream>>,
    ) -> Option<Self> {
        if route.shop {
            return Some(Self::Shop(around.shop.clone()));
        }
        let single = route.upstream.iter().map(|name| (name, &1));
        let mut targets = Vec::new();
        let mut end = 0;
        for (name, share) in single.chain(&route.upstreams) {
            end += u64::from(*share);
            targets.push((end, find(name)?));
        }
        Some(Self::Upstreams(targets))
    }
}

impl Forward {
    /// For a checked route; `find` knows the upstreams by their names.
    pub(crate) fn new(
        route: &table::Route,
        around: &Surroundings,
        find: impl Fn(&str) -> Option<Arc<Upstream>>,
    ) -> Option<Self> {
        let rewrite = route.rewrite.as_deref();
        let rewrite = rewrite.and_then(|to| Rewrite::new(&route.path, to));
        Some(Self {
            leads_to: LeadsTo::new(route, around, find)?,
            rewrite,
            keep_host: route.keep_host,
            forwarding: around.forwarding,
            deadline: route.deadline.unwrap_or(around.longest).min(around.longest),
            retries: route.retries,
            hedge: route.hedge,
        })
    }

    /// The upstreams, and how many of how many requests each gets; none if the shop answers.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (&str, u64)> {
        let targets: &[_] = match &self.leads_to {
            LeadsTo::Upstreams(targets) => targets,
            LeadsTo::Shop(_) => &[],
        };
        let mut before = 0;
        targets.iter().map(move |(end, upstream)| {
            let share = end - before;
            before = *end;
            (&*upstream.name, share)
        })
    }

    /// Whether the shop answers.
    pub(crate) fn is_to_shop(&self) -> bool {
        matches!(self.leads_to, LeadsTo::Shop(_))
    }

    /// What the upstream sees of a path.
    pub(crate) fn path(&self, path: &str) -> Option<String> {
        let rewrite = self.rewrite.as_ref()?;
        Some(rewrite.of(path, None))
    }

    /// Sends a request on, and returns the head of the answer.
    pub(crate) fn call(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send {
        let (mut parts, body) = request.into_parts();
        let body = trailers::clear(body);
        let told = Told {
            context: RequestContext::current(),
            forwarding: self.forwarding,
        };
        let prepared = self.prepare(&mut parts, &told);
        let sending = self.sending(told.context.as_deref());
        // What waits for the answer holds the head in one place only.
        async move {
            let sent = match (prepared, &self.leads_to) {
                (Ok(()), LeadsTo::Upstreams(targets)) => match drawn(targets) {
                    Some(upstream) => upstream.send(&parts, &told, body, sending).await,
                    None => Err(no_upstream()),
                },
                (Ok(()), LeadsTo::Shop(shop)) => {
                    // Boxed, so that what is led to upstreams is not as large.
                    let request = Request::from_parts(parts, body);
                    Box::pin(ask_shop(shop.as_deref(), request, &told, sending.deadline)).await
                }
                (Err(problem), _) => Err(problem),
            };
            Ok(match sent {
                Ok(mut response) => {
                    hop::strip_named(response.headers_mut());
                    response
                }
                Err(problem) => refuse(problem),
            })
        }
    }

    /// How a request may be sent on that was made in this context.
    fn sending(&self, context: Option<&RequestContext>) -> Sending {
        // What was done before, a signature verified or a body changed, is nothing that the upstream takes.
        let begun = turn::look();
        let deadline = begun + self.deadline;
        let caller = context.and_then(RequestContext::deadline);
        Sending {
            begun,
            same: false,
            deadline: caller.map_or(deadline, |caller| deadline.min(caller.into())),
            retries: self.retries,
            keep_host: self.keep_host,
            hedge: self.hedge,
        }
    }

    /// Turns what the client has sent into what the upstream shall see, but for what it is told besides.
    fn prepare(&self, parts: &mut http::request::Parts, told: &Told) -> Result<(), Problem> {
        if let Some(path) = self.path(parts.uri.path()) {
            parts.uri = with_path(&parts.uri, &path)?;
        }
        if self.keep_host {
            if let Some(host) = told.origin().and_then(|origin| origin.host.as_ref()) {
                parts.headers.insert(HOST, host.clone());
            }
            // What no server understands would count as its failure.
            let host = parts.headers.get(HOST);
            if host.is_some_and(|host| !is_host(host)) {
                let detail = "the host is none (RFC 9110, section 7.2)";
                return Err(Problem::new(Kind::Malformed, codes::MALFORMED, detail));
            }
        }
        if self.is_to_shop() {
            // Nobody says it there, and nobody else may.
            remove_if(&mut parts.headers, |name| told.replaces(name));
        }
        Ok(())
    }
}

/// What the gateway itself says of a request.
struct Told {
    context: Option<Arc<RequestContext>>,
    forwarding: Forwarding,
}

impl Told {
    fn origin(&self) -> Option<&Origin> {
        self.context.as_ref()?.origin()
    }

    /// By how much the body of the request has put off when it has to be answered.
    fn put_off(&self) -> Duration {
        let context = self.context.as_deref();
        context.map(RequestContext::put_off).unwrap_or_default()
    }

    fn late_shop(&self) -> Problem {
        let context = self.context.as_deref();
        if context.is_some_and(RequestContext::awaits_body) {
            return Problem::late_body();
        }
        let detail = "the shop gave no answer in time";
        Problem::new(Kind::DeadlineExceeded, codes::DEADLINE, detail)
    }
}

impl Added for Told {
    fn write(&self, fields: &mut Fields<'_>) {
        if let Some(origin) = self.origin() {
            announce(fields, origin, self.forwarding);
        }
        if let Some(context) = &self.context {
            fields.add(&TRACEPARENT, |text| {
                text.extend_from_slice(context.traceparent())
            });
            if context.request_id.is_some() {
                fields.add(&REQUEST_ID, |text| context.write_request_id(text));
            }
        }
    }

    fn replaces(&self, name: &HeaderName) -> bool {
        (self.origin().is_some() && is_announced(name))
            || (self.context.is_some() && [TRACEPARENT, REQUEST_ID].contains(name))
    }
}

/// One of the upstreams, by lot.
fn drawn(targets: &[(u64, Arc<Upstream>)]) -> Option<&Arc<Upstream>> {
    let (all, first) = targets.last().map(|(end, _)| *end).zip(targets.first())?;
    if targets.len() == 1 {
        return Some(&first.1);
    }
    let lot = first.1.lot() % all.max(1);
    let drawn = targets.iter().find(|(end, _)| lot < *end);
    drawn.map(|(_, upstream)| upstream)
}

/// What the shop answers: its problems, too, as another process would have written them.
async fn ask_shop(
    shop: Option<&Shop>,
    request: Request<Body>,
    told: &Told,
    deadline: Instant,
) -> Result<Response<Body>, Problem> {
    let shop = shop.ok_or_else(no_upstream)?;
    let uri = request.uri().clone();
    // What has put it off before is in the deadline already.
    let begun = told.put_off();
    let ends = || deadline + told.put_off().saturating_sub(begun);
    let answered = in_time(ends, pin!(shop.call(request))).await;
    let mut response = answered.ok_or_else(|| told.late_shop())?;
    if let Some(context) = &told.context {
        write_refusal(&mut response, uri.path(), context.trace);
    }
    Ok(response)
}

fn no_upstream() -> Problem {
    Problem::unavailable(codes::UNAVAILABLE, "the route has no upstream", 1)
}

/// The target with another path, and the same query.
pub(crate) fn with_path(uri: &Uri, path: &str) -> Result<Uri, Problem> {
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let target = PathAndQuery::try_from(target).map_err(|error| {
        let detail = format!("the rewritten path is none: {error}");
        Problem::new(Kind::Malformed, codes::BAD_PATH, detail)
    })?;
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).map_err(|error| {
        let detail = format!("the rewritten path is none: {error}");
        Problem::new(Kind::Malformed, codes::BAD_PATH, detail)
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use kernel::Sources;
    use platform::telemetry::TraceContext;

    use super::*;

    #[tokio::test]
    async fn the_shop_hears_what_the_gateway_says_from_nobody_else() {
        let forward = Forward {
            leads_to: LeadsTo::Shop(None),
            rewrite: None,
            keep_host: false,
            forwarding: Forwarding::default(),
            deadline: Duration::from_secs(1),
            retries: 0,
            hedge: None,
        };
        let context = RequestContext::new(TraceContext::root(&Sources::system()), None);
        let found = async { RequestContext::comes_from(Origin::direct([192, 0, 2, 1].into())) };
        context.clone().scope(found).await;
        let told = Told {
            context: Some(context),
            forwarding: Forwarding::default(),
        };
        let (mut parts, ()) = Request::new(()).into_parts();
        for name in ["x-request-id", "traceparent", "x-forwarded-for", "x-other"] {
            parts.headers.insert(name, HeaderValue::from_static("set"));
        }
        forward.prepare(&mut parts, &told).expect("can be sent");
        let left: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["x-other"]);
    }
}
