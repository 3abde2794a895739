//! What every request passes before it is routed, in this order: the limit of requests at once,
//! the client's address, the stripping of identity headers, the rate limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, HeaderName, Request, Response};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::{ClientAddress, HttpContext, refuse};
use wire::Body;
use wire::network::Networks;
use wire::server::Connection;

use crate::Config;
use crate::client_address::{self, Forwarding, Origin};
use crate::limit::RateLimit;

/// Headers that only processes of the shop may send to each other.
const OWN_PREFIX: &str = "rialto-";
/// Headers by which other gateways tell services who calls: nobody here believes them, and they
/// go no further.
const IDENTITY: [&str; 6] = [
    "x-user-id",
    "x-customer-id",
    "x-authenticated-user",
    "x-forwarded-user",
    "x-remote-user",
    "remote-user",
];

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door(Arc<Inner>);

struct Inner {
    http: HttpContext,
    concurrency: usize,
    inside: AtomicUsize,
    limit: Option<RateLimit>,
    trusted: Networks,
    forwarding: Forwarding,
}

impl Door {
    pub(crate) fn new(config: &Config, http: &HttpContext) -> Self {
        Self(Arc::new(Inner {
            http: http.clone(),
            concurrency: config.concurrency,
            inside: AtomicUsize::new(0),
            limit: RateLimit::new(config.rate_limit, config.rate_window, config.rate_burst),
            trusted: config.trusted.clone(),
            forwarding: config.forwarded,
        }))
    }
}

impl Door {
    /// Lets a request in to `inside`, or answers why not.
    pub(crate) async fn pass<F>(
        &self,
        mut request: Request<Body>,
        inside: impl FnOnce(Request<Body>) -> F,
    ) -> Response<Body>
    where
        F: Future<Output = Response<Body>>,
    {
        let door = &*self.0;
        let Some(_visit) = Visit::enter(door) else {
            door.http.metrics.shed.inc();
            let detail = "more requests are being answered than the server takes on";
            return refuse(Problem::unavailable(codes::OVERLOADED, detail, 1));
        };
        let origin = match origin(door, &mut request) {
            Ok(origin) => origin,
            Err(problem) => return refuse(problem),
        };
        let address = origin.client;
        strip(request.headers_mut());
        let left = match &door.limit {
            None => None,
            Some(limit) => match limit.take(address, door.http.sources.now()) {
                Ok(left) => Some((limit, left)),
                Err(seconds) => {
                    door.http.metrics.rate_limited.inc();
                    return refuse(too_many(seconds));
                }
            },
        };
        request.extensions_mut().insert(ClientAddress(address));
        request.extensions_mut().insert(Arc::new(origin));
        let mut response = inside(request).await;
        if let Some((limit, left)) = left {
            limit.describe(response.headers_mut(), &left);
        }
        response
    }
}

struct Visit<'a>(&'a AtomicUsize);

impl<'a> Visit<'a> {
    fn enter(door: &'a Inner) -> Option<Self> {
        let visit = Self(&door.inside);
        (door.inside.fetch_add(1, Ordering::Relaxed) < door.concurrency).then_some(visit)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn too_many(seconds: u32) -> Problem {
    let detail = "more requests from your address than the limit allows";
    Problem::new(Kind::TooMany, codes::RATE_LIMITED, detail).again_after(seconds)
}

fn origin(door: &Inner, request: &mut Request<Body>) -> Result<Origin, Problem> {
    // Nobody but tests asks without a connection.
    let connection = request.extensions().get::<Connection>().cloned();
    let connection = connection.unwrap_or(Connection {
        peer: ([0, 0, 0, 0], 0).into(),
        encrypted: false,
    });
    let uri = request.uri().clone();
    let (trusted, forwarding) = (&door.trusted, door.forwarding);
    client_address::take(
        request.headers_mut(),
        &uri,
        &connection,
        trusted,
        forwarding,
    )
    .map_err(|unreadable| Problem::new(Kind::Malformed, codes::MALFORMED, unreadable.to_string()))
}

fn strip(headers: &mut HeaderMap) {
    let foreign = |name: &HeaderName| {
        name.as_str().starts_with(OWN_PREFIX) || IDENTITY.contains(&name.as_str())
    };
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| foreign(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_headers_are_stripped() {
        let mut headers = HeaderMap::new();
        for name in ["rialto-peer", "rialto-client", "x-user-id", "authorization"] {
            headers.insert(HeaderName::from_static(name), "x".parse().expect("valid"));
        }
        strip(&mut headers);
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["authorization"]
        );
    }
}
