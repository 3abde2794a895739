//! Servers that are all alike, and how a request gets to one of them: the less busy of two drawn by
//! lot, another one if that fails, none that has failed too often.

mod balance;
mod budget;
mod connect;
mod measures;
mod member;
mod probe;
mod standing;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use tokio::time::Instant;
use wire::Body;
use wire::client::ExchangeError;

use self::budget::Budget;
use self::measures::Measures;
use self::member::{Member, Outcome};
use crate::snapshot::Surroundings;
use crate::table;

pub(crate) use self::connect::Dial;
pub(crate) use self::member::MemberState;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The servers of one upstream, and what is known of each.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) name: String,
    pub(crate) definition: table::Upstream,
    members: ArcSwap<Vec<Arc<Member>>>,
    workers: usize,
    dice: AtomicU64,
    in_flight: AtomicU32,
    budget: Budget,
    measures: Measures,
    started: Instant,
    refreshed: AtomicU64,
    checked: AtomicU64,
}

/// How a request may be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending {
    /// By when its head must have been answered.
    pub(crate) deadline: Instant,
    /// How often it may be sent again.
    pub(crate) retries: u8,
    /// Whether the server sees the host that the client has asked for.
    pub(crate) keep_host: bool,
}

impl Upstream {
    /// An upstream with the servers that its definition names; others are found by
    /// [`refresh`](Self::refresh).
    pub(crate) fn new(name: &str, definition: &table::Upstream, around: &Surroundings) -> Self {
        let upstream = Self {
            name: name.to_owned(),
            definition: definition.clone(),
            members: ArcSwap::default(),
            workers: around.workers,
            dice: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            budget: Budget::new(definition.retry_budget.0),
            measures: Measures::new(name, &around.metrics),
            started: Instant::now(),
            refreshed: AtomicU64::new(0),
            checked: AtomicU64::new(0),
        };
        upstream.set_servers(&definition.servers);
        upstream
    }

    /// From now on these are the servers. Those that stay keep their connections and what is known
    /// of them; those that leave finish what they are at.
    pub(crate) fn set_servers(&self, urls: &[String]) {
        let present = self.members.load();
        let known: HashMap<&str, &Arc<Member>> = present
            .iter()
            .map(|member| (member.url.as_str(), member))
            .collect();
        let mut members: Vec<Arc<Member>> = Vec::with_capacity(urls.len());
        for url in urls {
            if members.iter().any(|member| member.url == *url) {
                continue;
            }
            match known.get(url.as_str()) {
                Some(member) => members.push(Arc::clone(member)),
                None => match Member::new(url, &self.definition, self.workers, self.now()) {
                    Ok(member) => members.push(Arc::new(member)),
                    Err(problem) => {
                        tracing::warn!(upstream = %self.name, problem, "a server is left out");
                    }
                },
            }
        }
        for member in present.iter() {
            if !members.iter().any(|stays| Arc::ptr_eq(stays, member)) {
                member.leave();
            }
        }
        self.members.store(Arc::new(members));
    }

    /// Microseconds since the upstream was made.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Sends a request to one of the servers, and returns the head of the answer.
    pub(crate) async fn send(
        &self,
        parts: &mut Parts,
        body: Body,
        sending: Sending,
    ) -> Result<Response<Body>, Problem> {
        let _place = self.enter()?;
        self.budget.earn();
        let harmless = is_harmless(parts);
        let members = self.members.load_full();
        let mut body = Some(body);
        let mut tried: Vec<usize> = Vec::new();
        let mut failure = None;
        loop {
            let Some(index) = self.choose(&members, &tried) else {
                return failure.unwrap_or_else(|| Err(self.nobody()));
            };
            if failure.is_some() {
                self.measures.repeated.inc();
            }
            let member = &members[index];
            let may_repeat = tried.len() < usize::from(sending.retries);
            let sent = body.take().unwrap_or_default();
            let copy = if may_repeat { sent.try_clone() } else { None };
            let exchange = self.exchange(member, parts, sent, harmless, sending);
            let (answer, repeatable) = self.judge(exchange.await, harmless);
            let Some(copy) = copy.filter(|_| repeatable) else {
                return answer;
            };
            if !self.budget.spend() {
                return answer;
            }
            tried.push(index);
            body = Some(copy);
            failure = Some(answer);
        }
    }

    /// One try with one server, counted and timed.
    async fn exchange(
        &self,
        member: &Member,
        parts: &mut Parts,
        body: Body,
        harmless: bool,
        sending: Sending,
    ) -> Result<Response<Body>, ExchangeError> {
        if !sending.keep_host {
            parts.headers.insert(HOST, member.host.clone());
        }
        let attempt = member.attempt(self.now());
        let left = sending.deadline.saturating_duration_since(Instant::now());
        let result = member.pool().send(parts, body, left, harmless).await;
        let outcome = match &result {
            Ok(response) if is_gateway_failure(response.status()) => Outcome::Failed,
            Ok(_) => Outcome::Answered,
            // It is the client that broke off.
            Err(ExchangeError::Request(_)) => Outcome::Unknown,
            Err(_) => Outcome::Failed,
        };
        self.measures
            .tried(outcome, matches!(result, Err(ExchangeError::Slow)));
        if attempt.ended(outcome, self.now(), &self.definition) {
            self.measures.ejected.inc();
        }
        result
    }

    /// What to answer, and whether another server may be asked instead.
    fn judge(
        &self,
        tried: Result<Response<Body>, ExchangeError>,
        harmless: bool,
    ) -> (Result<Response<Body>, Problem>, bool) {
        match tried {
            Ok(response) => {
                let repeat = harmless && is_gateway_failure(response.status());
                (Ok(response), repeat)
            }
            Err(ExchangeError::Slow) => {
                let detail = format!("the upstream `{}` gave no answer in time", self.name);
                let problem = Problem::new(Kind::DeadlineExceeded, codes::DEADLINE, detail);
                (Err(problem), false)
            }
            Err(error) => {
                let repeat = error.is_unseen() || harmless;
                let repeat = repeat && !matches!(error, ExchangeError::Request(_));
                let detail = format!("the upstream `{}` gave no answer: {error}", self.name);
                let problem = match error {
                    ExchangeError::Connect(_) => {
                        Problem::unavailable(codes::UNAVAILABLE, detail, 1)
                    }
                    _ => Problem::new(Kind::BadGateway, codes::BAD_UPSTREAM, detail),
                };
                (Err(problem), repeat)
            }
        }
    }

    fn enter(&self) -> Result<Place<'_>, Problem> {
        let place = Place(&self.in_flight);
        if self.in_flight.fetch_add(1, Ordering::Relaxed) < self.definition.concurrency {
            return Ok(place);
        }
        self.measures.refused.inc();
        let detail = format!(
            "the upstream `{}` has as much to do as it may have",
            self.name
        );
        Err(Problem::unavailable(codes::OVERLOADED, detail, 1))
    }

    fn nobody(&self) -> Problem {
        self.measures.refused.inc();
        let detail = format!("no server of the upstream `{}` is well", self.name);
        Problem::unavailable(codes::UNAVAILABLE, detail, 1)
    }

    /// Tells how many servers may be asked.
    pub(crate) fn measure(&self) {
        let now = self.now();
        let members = self.members.load();
        let usable = members
            .iter()
            .filter(|member| member.is_usable(now))
            .count();
        self.measures
            .usable
            .set(i64::try_from(usable).unwrap_or(i64::MAX));
    }

    /// How each server is, for those who look.
    pub(crate) fn states(&self) -> Vec<MemberState> {
        let now = self.now();
        self.members
            .load()
            .iter()
            .map(|member| member.state(now))
            .collect()
    }
}

struct Place<'a>(&'a AtomicU32);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether sending the request twice is no worse than sending it once.
fn is_harmless(parts: &Parts) -> bool {
    let idempotent = matches!(
        parts.method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    );
    idempotent || parts.headers.contains_key(IDEMPOTENCY_KEY)
}

/// Whether a status says that the server, or one behind it, is not up to it.
fn is_gateway_failure(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

/// A text as a value of a field.
fn field(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::try_from(text).map_err(|_| format!("`{text}` cannot stand in a header"))
}

/// A length of time in microseconds.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
