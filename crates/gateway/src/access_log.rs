//! One line in the log for a request: who has asked for what, who has answered, how long that took.
//!
//! What becomes of a request is noted on its [`Trail`] while it is answered. The line is written
//! when the trail ends, however it ends: with the last byte of the answer, with its head if nobody
//! counts the bytes, or when the request is given up. Where no line is written nothing is allocated.

mod count;
mod line;
mod refused;

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use kernel::{CustomerId, StaffId};
use platform::context::RequestContext;
use platform::http::entry::named_id;
use platform::http::{ClientAddress, is_refusal};
use wire::{Body, turn};

use self::count::{Received, Sent};
pub(crate) use self::refused::RefusedLog;
use crate::cache::CACHE_STATUS;
use crate::identity::Identity;
use crate::snapshot::Route;
use crate::table::AccessLog;

tokio::task_local! {
    static TRAIL: RefCell<Option<Trail>>;
}

/// Notes something about the request that is being answered, if anybody wants to know. Of requests
/// that share one question to an upstream, the one that asks knows of it.
pub(crate) fn note(what: impl FnOnce(&mut Trail)) {
    // Outside of requests there is no trail.
    let _ = TRAIL.try_with(|trail| {
        if let Some(trail) = &mut *trail.borrow_mut() {
            what(trail);
        }
    });
}

/// What is known of a request so far.
#[derive(Debug)]
pub(crate) struct Trail {
    log: AccessLog,
    /// Whether it is told whatever becomes of it.
    sampled: bool,
    /// Whether this gateway asks itself, for a part of an answer.
    part: bool,
    started: Instant,
    context: Option<Arc<RequestContext>>,
    request_id: Option<HeaderValue>,
    method: Method,
    uri: Uri,
    client: Option<IpAddr>,
    led: Led,
    who: Who,
    /// The upstream and the server that were asked last.
    asked: Option<(Arc<str>, Arc<str>)>,
    attempts: u32,
    /// Whether a server has failed, whatever the client has heard.
    failed: bool,
    received: Option<Received>,
    answer: Option<Answer>,
}

/// The head of the answer, and what was sent of its body.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    took: Duration,
    cache: Option<HeaderValue>,
    /// Bytes, if that is known.
    sent: Option<u64>,
    /// Whether the body has broken off.
    cut: bool,
}

/// Where a request was led.
#[derive(Debug, Default)]
enum Led {
    #[default]
    Nowhere,
    Shop,
    Route(Arc<Route>),
}

/// Who has asked. Never a token.
#[derive(Debug, Default)]
enum Who {
    #[default]
    Nobody,
    Customer(CustomerId),
    Staff(StaffId),
    Subject(Arc<Identity>),
}

impl Trail {
    /// Begins the trail of a request; one for a `part` is asked by the gateway itself.
    pub(crate) fn begin(log: AccessLog, part: bool, request: &mut Request<Body>) -> Self {
        let context = RequestContext::current();
        let trace_id = context.as_ref().map(|context| context.trace.trace_id);
        let sampled = trace_id.is_some_and(|id| log.sample.has(id));
        let received = sampled.then(|| Received::of(request.body_mut()));
        Self {
            log,
            sampled,
            part,
            started: turn::now().into_std(),
            context,
            request_id: named_id(request.headers()).cloned(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            client: ClientAddress::current().map(|client| client.0),
            led: Led::Nowhere,
            who: Who::Nobody,
            asked: None,
            attempts: 0,
            failed: false,
            received,
            answer: None,
        }
    }

    /// Answers the request with this trail.
    pub(crate) async fn follow<F>(self, answering: F) -> Response<Body>
    where
        F: Future<Output = Response<Body>>,
    {
        let followed = async {
            let response = answering.await;
            match TRAIL.with(RefCell::take) {
                Some(trail) => trail.answered(response),
                None => response,
            }
        };
        TRAIL.scope(RefCell::new(Some(self)), followed).await
    }

    /// Who the client is.
    pub(crate) fn of_client(&mut self, client: IpAddr) {
        self.client = Some(client);
    }

    /// The shop answers.
    pub(crate) fn led_to_shop(&mut self) {
        self.led = Led::Shop;
    }

    /// A route of the table answers.
    pub(crate) fn led_to(&mut self, route: &Arc<Route>) {
        self.led = Led::Route(route.clone());
    }

    /// A customer of the shop has asked, or somebody of its staff.
    pub(crate) fn by(&mut self, caller: &kernel::Caller) {
        self.who = match caller {
            kernel::Caller::Anonymous => Who::Nobody,
            kernel::Caller::Customer { id, .. } => Who::Customer(*id),
            kernel::Caller::Staff { id, .. } => Who::Staff(*id),
        };
    }

    /// Somebody has asked whom a route knows.
    pub(crate) fn by_subject(&mut self, identity: &Arc<Identity>) {
        self.who = Who::Subject(identity.clone());
    }

    /// A server is asked.
    pub(crate) fn asks(&mut self, upstream: &Arc<str>, server: &Arc<str>) {
        self.attempts += 1;
        self.asked = Some((upstream.clone(), server.clone()));
    }

    /// A server has answered: of two that were asked at once, the first.
    pub(crate) fn heard(&mut self, upstream: &Arc<str>, server: &Arc<str>) {
        self.asked = Some((upstream.clone(), server.clone()));
    }

    /// A server has failed.
    pub(crate) fn failed(&mut self) {
        self.failed = true;
    }

    /// The head of the answer is there.
    fn answered(mut self, response: Response<Body>) -> Response<Body> {
        let told = response.headers().get_all(CACHE_STATUS).iter().next_back();
        // A problem has no body yet.
        let whole = response.body().whole().filter(|_| !is_refusal(&response));
        self.answer = Some(Answer {
            status: response.status(),
            took: self.started.elapsed(),
            cache: told.cloned(),
            sent: whole.map(|bytes| bytes.len() as u64),
            cut: false,
        });
        if !self.sampled || response.body().whole().is_some() {
            return response;
        }
        response.map(|body| Sent::watched(body, self))
    }

    /// Whether there is a line for it.
    fn is_told(&self) -> bool {
        let took = || self.started.elapsed();
        self.sampled
            || self.failed
            || self.status().is_some_and(|status| status.is_server_error())
            || self.log.slow.is_some_and(|slow| took() > slow)
    }

    /// What the client hears; `None` if it has gone before there was an answer.
    fn status(&self) -> Option<StatusCode> {
        if let Some(answer) = &self.answer {
            return Some(answer.status);
        }
        let late = self.context.as_ref().filter(|context| {
            let deadline = context.deadline();
            deadline.is_some_and(|deadline| deadline <= Instant::now())
        });
        if let Some(context) = late {
            return Some(if context.awaits_body() {
                StatusCode::REQUEST_TIMEOUT
            } else {
                StatusCode::GATEWAY_TIMEOUT
            });
        }
        std::thread::panicking().then_some(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if self.is_told() {
            self.tell();
        }
    }
}
