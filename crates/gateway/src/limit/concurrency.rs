//! Limits of requests that are there at once. What is too much is refused at once, with 503: who
//! waits for room would keep the room that waiting takes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use kernel::Problem;
use kernel::problem::codes;
use parking_lot::Mutex;
use platform::http::refuse;
use prometheus_client::metrics::counter::Counter;
use tower::{Layer, Service, ServiceExt};
use wire::{Body, BoxError};

use super::adaptive::{AdaptiveSettings, Controller, Window};

/// So many at once. Shared by all whom it limits.
#[derive(Debug)]
pub struct Concurrency {
    inside: AtomicUsize,
    limit: AtomicUsize,
}

impl Concurrency {
    /// `limit` at once.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            inside: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
        })
    }

    /// Limits to `limit` from now on; who is inside stays.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many are inside.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// The present limit.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Whether there is a place.
    pub fn is_free(&self) -> bool {
        self.inside() < self.limit()
    }

    /// A place, if there is one.
    pub fn enter(self: &Arc<Self>) -> Option<Place> {
        let limit = self.limit();
        let free = |inside| (inside < limit).then_some(inside + 1);
        let entered = self
            .inside
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        entered.is_ok().then(|| Place(self.clone()))
    }
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub struct Place(Arc<Concurrency>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The answer to what is too much.
pub(crate) fn overloaded() -> Problem {
    let detail = "more requests are being answered than the server takes on";
    Problem::unavailable(codes::OVERLOADED, detail, 1)
}

/// Lets requests in while each of its limits has a place. A place is kept until the answer has
/// been sent, or given up.
#[derive(Debug, Clone)]
pub struct ConcurrencyLayer {
    limits: Arc<[Arc<Concurrency>]>,
    shed: Counter,
}

impl ConcurrencyLayer {
    /// All these limits, such as that of the gateway and that of the route. `shed` counts whom
    /// they refuse.
    pub fn new(limits: impl IntoIterator<Item = Arc<Concurrency>>, shed: Counter) -> Self {
        Self {
            limits: limits.into_iter().collect(),
            shed,
        }
    }
}

impl<S> Layer<S> for ConcurrencyLayer {
    type Service = Crowded<S>;

    fn layer(&self, inner: S) -> Crowded<S> {
        Crowded {
            layer: self.clone(),
            inner,
        }
    }
}

/// A service with few places.
#[derive(Debug, Clone)]
pub struct Crowded<S> {
    layer: ConcurrencyLayer,
    inner: S,
}

impl<S> Service<Request<Body>> for Crowded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The inner service is asked when there is a request for it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // Those that were found are left again if the next has none.
        let places: Option<Vec<Place>> = self.layer.limits.iter().map(Concurrency::enter).collect();
        let Some(places) = places else {
            self.layer.shed.inc();
            return Box::pin(std::future::ready(Ok(refuse(overloaded()))));
        };
        let answering = self.inner.clone().oneshot(request);
        Box::pin(async move { Ok(answering.await?.map(|body| keep(body, places))) })
    }
}

/// Keeps `places` until `body` has been sent; what is here as a whole is as good as sent.
fn keep(body: Body, places: Vec<Place>) -> Body {
    if body.whole().is_some() {
        return body;
    }
    Body::new(Kept {
        body,
        _places: places,
    })
}

struct Kept {
    body: Body,
    _places: Vec<Place>,
}

impl http_body::Body for Kept {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How long a window of the controller lasts, and how many answers it takes to tell something.
const WINDOW: Duration = Duration::from_millis(100);
const ANSWERS: u64 = 20;

/// A limit for one upstream that finds itself; see [`adaptive`](super::adaptive).
#[derive(Debug)]
pub struct Adaptive {
    places: Arc<Concurrency>,
    learning: Mutex<Learning>,
}

#[derive(Debug)]
struct Learning {
    controller: Controller,
    window: Window,
    began: Option<Instant>,
}

impl Adaptive {
    /// A limit that begins where the settings say.
    pub fn new(settings: AdaptiveSettings) -> Arc<Self> {
        let controller = Controller::new(settings);
        Arc::new(Self {
            places: Concurrency::new(controller.limit() as usize),
            learning: Mutex::new(Learning {
                controller,
                window: Window::default(),
                began: None,
            }),
        })
    }

    /// The present limit, for a metric.
    pub fn limit(&self) -> usize {
        self.places.limit()
    }

    /// Whether there is a place.
    pub fn is_free(&self) -> bool {
        self.places.is_free()
    }

    /// A place at the upstream, if there is one.
    pub fn enter(self: &Arc<Self>, now: Instant) -> Option<Visit> {
        let place = self.places.enter()?;
        Some(Visit {
            adaptive: self.clone(),
            at_once: u32::try_from(self.places.inside()).unwrap_or(u32::MAX),
            entered: now,
            _place: place,
        })
    }

    fn learn(&self, now: Instant, took: Duration, dropped: bool, at_once: u32) {
        let mut learning = self.learning.lock();
        let Learning {
            controller,
            window,
            began,
        } = &mut *learning;
        window.add(took, dropped, at_once);
        let over = now.saturating_duration_since(*began.get_or_insert(now)) >= WINDOW;
        if over && window.answered + window.dropped >= ANSWERS {
            controller.observe(window);
            (*window, *began) = (Window::default(), Some(now));
            self.places.set_limit(controller.limit() as usize);
        }
    }
}

/// A place at an upstream, until this is dropped. Who gives up without telling how it ended
/// teaches nothing.
#[derive(Debug)]
pub struct Visit {
    adaptive: Arc<Adaptive>,
    at_once: u32,
    entered: Instant,
    _place: Place,
}

impl Visit {
    /// The head of the answer is there.
    pub fn answered(&self, now: Instant) {
        let took = now.saturating_duration_since(self.entered);
        self.adaptive.learn(now, took, false, self.at_once);
    }

    /// It timed out, or the upstream said that it has too much to do (429, 503).
    pub fn dropped(&self, now: Instant) {
        let took = now.saturating_duration_since(self.entered);
        self.adaptive.learn(now, took, true, self.at_once);
    }
}
