//! What every request passes before it is routed, in this order: the limit of requests at once,
//! the client's address, the stripping of headers that go no further, the rate limit.

use http::{HeaderMap, HeaderName, Request, Response};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::context::RequestContext;
use platform::http::{ClientAddress, HttpContext, Origin, refuse};
use wire::Body;
use wire::fields::remove_if;
use wire::network::Networks;
use wire::server::Connection;

use crate::Config;
use crate::access_log::note;
use crate::client_address::{self, Forwarding};
use crate::hop;
use crate::limit::concurrency::{Concurrency, Place, overloaded};
use crate::limit::{Counters, Decision, Rules};

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

pub(crate) struct Door {
    http: HttpContext,
    places: Concurrency,
    counters: Counters,
    rules: Rules,
    trusted: Networks,
    forwarding: Forwarding,
}

impl Door {
    pub(crate) fn new(config: &Config, counters: Counters, http: &HttpContext) -> Self {
        let metrics = &http.metrics;
        let rules = Rules::new(&config.limit(), metrics);
        Self {
            http: http.clone(),
            places: Concurrency::new(config.concurrency),
            counters,
            rules: rules.expect("checked when the configuration was read"),
            trusted: config.trusted.clone(),
            forwarding: config.forwarded,
        }
    }

    /// Lets a request in, or answers why not.
    pub(crate) async fn admit(
        &self,
        request: &mut Request<Body>,
    ) -> Result<Admitted<'_>, Response<Body>> {
        let Some(place) = self.places.enter() else {
            self.http.metrics.shed.inc();
            return Err(refuse(overloaded()));
        };
        let origin = self.origin(request).map_err(refuse)?;
        let client = ClientAddress(origin.client);
        note(|trail| trail.of_client(origin.client));
        strip(request.headers_mut());
        RequestContext::comes_from(origin);
        let admitted = |decision| Admitted {
            _place: place,
            decision,
        };
        if self.rules.is_empty() {
            return Ok(admitted(None));
        }
        // Each route has the rules of the door in common with all others.
        let asks = self.rules.asks(request, Some(client), "");
        let decision = self.counters.take(&self.rules, asks).await;
        let Some(problem) = decision.refusal() else {
            return Ok(admitted(Some(decision)));
        };
        let mut refused = refuse(problem);
        decision.describe(refused.headers_mut());
        Err(refused)
    }

    fn origin(&self, request: &mut Request<Body>) -> Result<Origin, Problem> {
        // Nobody but tests asks without a connection.
        let connection = RequestContext::with_current(|context| context?.connection);
        let connection = connection.unwrap_or(Connection {
            peer: ([0, 0, 0, 0], 0).into(),
            encrypted: false,
        });
        let host = client_address::asked_host(request);
        let (headers, trusted) = (request.headers_mut(), &self.trusted);
        client_address::take(headers, host, &connection, trusted, self.forwarding).map_err(
            |unreadable| Problem::new(Kind::Malformed, codes::MALFORMED, unreadable.to_string()),
        )
    }
}

/// A request that is inside, until it is answered.
pub(crate) struct Admitted<'a> {
    _place: Place<'a>,
    decision: Option<Decision<'a>>,
}

impl Admitted<'_> {
    /// Tells in the answer what is left of the limits.
    pub(crate) fn describe(&self, response: &mut Response<Body>) {
        if let Some(decision) = &self.decision {
            decision.describe(response.headers_mut());
        }
    }
}

/// Whether nobody outside may say it.
pub(crate) fn is_foreign(name: &HeaderName) -> bool {
    name.as_str().starts_with(OWN_PREFIX) || IDENTITY.contains(&name.as_str())
}

/// Takes out what concerns the connection of the client, and what clients may not say.
pub(crate) fn strip(headers: &mut HeaderMap) {
    hop::end(headers);
    remove_if(headers, is_foreign);
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
