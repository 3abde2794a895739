//! Leads each request to its route in the table, or to the shop.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Response};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use platform::http::refuse;
use tower::Service;
use wire::Body;

use crate::access_log::{Trail, note};
use crate::compose::Ask;
use crate::door::Door;
use crate::filter::unfailing;
use crate::forward::with_path;
use crate::live::Live;
use crate::path::normalise;
use crate::router::Found;
use crate::shop::Shop;
use crate::snapshot::{Asked, Route, Snapshot};
use crate::swapped::{Own, own};

/// Leads the requests of one worker. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dispatch(Own<Inner>);

struct Inner {
    door: Door,
    live: Live,
    shop: Shop,
}

/// Who answers.
enum Answers<'a> {
    Route(&'a Arc<Route>),
    Shop,
    /// The path is there, but only with these methods.
    OtherMethods(Vec<Method>),
}

impl Dispatch {
    pub(crate) fn new(door: Door, live: Live, shop: Shop) -> Self {
        Self(own(&Arc::new(Inner { door, live, shop })))
    }

    /// The same for another worker.
    pub(crate) fn again(&self) -> Self {
        Self(own(&self.0))
    }
}

impl Service<Request<Body>> for Dispatch {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let inner = self.0.clone();
        let table = inner.live.present();
        let trail = trail(&table, &mut request, false);
        // It lies in one place until it is clear who answers: every future that held it would be so
        // much larger.
        let answering = async move {
            let admitted = match inner.door.admit(&mut request).await {
                Ok(admitted) => admitted,
                Err(refused) => return Ok(refused),
            };
            let part = |request| inner.part(&table, request);
            let mut response = inner.answer(&table, &mut request, Some(&part)).await;
            admitted.describe(&mut response);
            Ok(response)
        };
        match trail {
            None => Box::pin(answering),
            Some(trail) => Box::pin(trail.follow(answering.map(unfailing)).map(Ok)),
        }
    }
}

impl Inner {
    /// Answers the request for a part of an answer: as any other, but not put together again.
    fn part<'a>(
        &'a self,
        table: &'a Snapshot,
        mut request: Request<Body>,
    ) -> BoxFuture<'a, Response<Body>> {
        let trail = trail(table, &mut request, true);
        let answering = async move { self.answer(table, &mut request, None).await };
        match trail {
            None => Box::pin(answering),
            Some(trail) => Box::pin(trail.follow(answering)),
        }
    }

    /// Answers a request; `ask` answers those for its parts, if it may have any.
    async fn answer(
        &self,
        table: &Snapshot,
        request: &mut Request<Body>,
        ask: Option<Ask<'_>>,
    ) -> Response<Body> {
        match self.route(table, request) {
            Ok(Answers::Route(route)) => {
                note(|trail| trail.led_to(route));
                route.call(request, ask).await
            }
            Ok(Answers::Shop) => {
                note(Trail::led_to_shop);
                // Boxed, so that what is led elsewhere is not as large.
                Box::pin(self.shop.call(std::mem::take(request))).await
            }
            Ok(Answers::OtherMethods(methods)) => method_not_allowed(&methods),
            Err(problem) => refuse(problem),
        }
    }

    /// Who answers; the path of the request is in its normal form afterwards.
    fn route<'a>(
        &self,
        table: &'a Snapshot,
        request: &mut Request<Body>,
    ) -> Result<Answers<'a>, Problem> {
        if table.is_empty() {
            return Ok(Answers::Shop);
        }
        let bad = |wrong: crate::path::BadPath| {
            Problem::new(Kind::Malformed, codes::BAD_PATH, wrong.to_string())
        };
        if let Cow::Owned(path) = normalise(request.uri().path()).map_err(bad)? {
            *request.uri_mut() = with_path(request.uri(), &path)?;
        }
        let asked = Asked {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
        };
        Ok(match table.find(&asked) {
            Ok(route) => Answers::Route(route),
            Err(Found::OtherMethods(methods)) if !self.shop.has(request.uri().path()) => {
                Answers::OtherMethods(methods)
            }
            Err(_) => Answers::Shop,
        })
    }
}

/// The trail of a request, if the table wants to know.
fn trail(table: &Snapshot, request: &mut Request<Body>, part: bool) -> Option<Trail> {
    Some(Trail::begin(table.access_log()?, part, request))
}

/// The path is there, with these methods.
pub(crate) fn method_not_allowed(methods: &[Method]) -> Response<Body> {
    let detail = "the path exists, but not with this method; see the Allow header";
    let mut response = refuse(Problem::new(
        Kind::MethodNotAllowed,
        codes::METHOD_NOT_ALLOWED,
        detail,
    ));
    let allow: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if let Ok(allow) = HeaderValue::try_from(allow.join(", ")) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}
