//! How a request gets to a server, and to another one if that fails.

use std::sync::Arc;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use tokio::time::Instant;
use wire::client::{Added, Asking, ExchangeError, Fields};
use wire::{Body, turn};

use super::balance::Admission;
use super::hedge::{is_idempotent, may_be_hedged};
use super::{Member, Outcome, Upstream};
use crate::access_log::{Trail, note};
use crate::table::Hedge;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How a request may be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending {
    /// The present time, when a server is asked.
    pub(crate) begun: Instant,
    /// By when its head must have been answered.
    pub(crate) deadline: Instant,
    /// Whether the server was asked the same before.
    pub(crate) same: bool,
    /// How often it may be sent again.
    pub(crate) retries: u8,
    /// Whether the server sees the host that the client has asked for.
    pub(crate) keep_host: bool,
    /// When a second server is asked as well.
    pub(crate) hedge: Option<Hedge>,
}

/// What is sent to one server beside the request.
struct ToServer<'a> {
    /// What it is called, if it shall see that.
    host: Option<&'a HeaderValue>,
    added: &'a dyn Added,
}

impl Added for ToServer<'_> {
    fn write(&self, fields: &mut Fields<'_>) {
        if let Some(host) = self.host {
            fields.add(&HOST, |text| text.extend_from_slice(host.as_bytes()));
        }
        self.added.write(fields);
    }

    fn replaces(&self, name: &HeaderName) -> bool {
        (self.host.is_some() && *name == HOST) || self.added.replaces(name)
    }
}

impl Upstream {
    /// Sends a request to one of the servers, and returns the head of the answer.
    pub(crate) async fn send(
        &self,
        parts: &Parts,
        added: &dyn Added,
        body: Body,
        mut sending: Sending,
    ) -> Result<Response<Body>, Problem> {
        let _place = self.places.enter().ok_or_else(|| self.overloaded())?;
        self.budget.earn();
        let harmless = is_harmless(parts);
        // HTTP/1.0 knows of no host, and no server could do without.
        sending.keep_host = sending.keep_host && parts.headers.contains_key(HOST);
        let members = self.members.load();
        let mut body = Some(body);
        let mut tried: Vec<usize> = Vec::new();
        let mut failure = None;
        let mut silent = false;
        loop {
            if !tried.is_empty() {
                sending.begun = turn::now();
            }
            let chosen = self.choose(&members, &tried, sending.begun);
            // Where all were tried, one that has said nothing may be asked once more.
            let again = || {
                silent
                    .then(|| self.choose(&members, &[], sending.begun))
                    .flatten()
            };
            let Some(server) = chosen.or_else(again) else {
                return failure.unwrap_or_else(|| Err(self.refusal(&members, &tried)));
            };
            if failure.is_some() {
                self.measures.repeated.inc();
            }
            sending.same = tried.contains(&server.index);
            let may_repeat = tried.len() < usize::from(sending.retries);
            let sent = body.take().unwrap_or_default();
            let copy = if may_repeat { sent.try_clone() } else { None };
            let hedge = sending
                .hedge
                .filter(|_| tried.is_empty() && may_be_hedged(parts, &sent));
            let (result, second) = match hedge {
                // Boxed: what is not hedged does not carry it around.
                Some(hedge) => {
                    Box::pin(self.hedged(&members, &server, (parts, added), hedge, sending)).await
                }
                None => {
                    let exchange = self.exchange(&server, (parts, added), sent, harmless, sending);
                    (exchange.await, None)
                }
            };
            let Some(copy) = copy.filter(|_| may_help(&result, harmless)) else {
                return result.map_err(|error| self.problem(error));
            };
            silent = result.is_err();
            let answer = result.map_err(|error| self.problem(error));
            tried.extend([server.index].into_iter().chain(second));
            if tried.len() > usize::from(sending.retries) || !self.budget.spend() {
                return answer;
            }
            body = Some(copy);
            failure = Some(answer);
        }
    }

    /// One try with one server, counted and timed.
    pub(super) async fn exchange(
        &self,
        server: &Admission<'_>,
        (parts, added): (&Parts, &dyn Added),
        body: Body,
        harmless: bool,
        sending: Sending,
    ) -> Result<Response<Body>, ExchangeError> {
        let member = server.member;
        let Sending {
            begun, deadline, ..
        } = sending;
        let attempt = member.attempt(server.asked);
        note(|trail| trail.asks(&self.name, &member.url));
        let host = (!sending.keep_host).then_some(&member.host);
        let asking = Asking {
            parts,
            added: &ToServer { host, added },
            begun,
            ends: deadline,
            again: harmless,
        };
        let result = member.pool().send(asking, body).await;
        let outcome = match &result {
            Ok(response) if is_gateway_failure(response.status()) => Outcome::Failed,
            Ok(_) => Outcome::Answered,
            // It is the client that broke off, or is slow.
            Err(ExchangeError::Request(_) | ExchangeError::Unsent) => Outcome::Unknown,
            // One request is one failure.
            Err(_) if sending.same => Outcome::Unknown,
            Err(_) => Outcome::Failed,
        };
        match outcome {
            Outcome::Answered => note(|trail| trail.heard(&self.name, &member.url)),
            Outcome::Failed => note(Trail::failed),
            Outcome::Unknown => {}
        }
        self.measures
            .tried(outcome, matches!(result, Err(ExchangeError::Slow)));
        let now = self.now();
        server.guest.ended(&result, || self.instant(now));
        if attempt.ended(outcome, now, &self.definition) {
            self.measures.ejected.inc();
        }
        result
    }

    /// What to answer for an exchange that has failed.
    fn problem(&self, error: ExchangeError) -> Problem {
        let name = &self.name;
        match error {
            ExchangeError::Slow => {
                let detail = format!("the upstream `{name}` gave no answer in time");
                Problem::new(Kind::DeadlineExceeded, codes::DEADLINE, detail)
            }
            ExchangeError::Unsent => Problem::late_body(),
            ExchangeError::Request(why) => {
                let detail = format!("the body of the request cannot be passed on: {why}");
                Problem::new(Kind::Malformed, codes::MALFORMED, detail)
            }
            ExchangeError::Connect(_) => {
                let detail = format!("the upstream `{name}` gave no answer: {error}");
                Problem::unavailable(codes::UNAVAILABLE, detail, 1)
            }
            _ => {
                let detail = format!("the upstream `{name}` gave no answer: {error}");
                Problem::new(Kind::BadGateway, codes::BAD_UPSTREAM, detail)
            }
        }
    }

    fn overloaded(&self) -> Problem {
        self.measures.overloaded.inc();
        let detail = format!(
            "the upstream `{}` has as much to do as it may have",
            self.name
        );
        Problem::unavailable(codes::UPSTREAM_OVERLOADED, detail, 1)
    }

    /// Why nobody can be asked who was not tried.
    fn refusal(&self, members: &[Arc<Member>], tried: &[usize]) -> Problem {
        let now = self.now();
        let mut untried = (0..members.len()).filter(|index| !tried.contains(index));
        if untried.any(|index| members[index].is_usable(now)) {
            return self.overloaded();
        }
        self.measures.refused.inc();
        let detail = format!("no server of the upstream `{}` is well", self.name);
        Problem::unavailable(codes::UNAVAILABLE, detail, 1)
    }
}

/// Whether sending the request twice is no worse than sending it once.
fn is_harmless(parts: &Parts) -> bool {
    is_idempotent(&parts.method) || parts.headers.contains_key(IDEMPOTENCY_KEY)
}

/// Whether another server may be asked instead.
fn may_help(tried: &Result<Response<Body>, ExchangeError>, harmless: bool) -> bool {
    match tried {
        Ok(response) => harmless && is_gateway_failure(response.status()),
        Err(ExchangeError::Slow | ExchangeError::Unsent | ExchangeError::Request(_)) => false,
        Err(error) => harmless || error.is_unseen(),
    }
}

/// Whether a status says that the server, or one behind it, is not up to it.
pub(super) fn is_gateway_failure(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}
