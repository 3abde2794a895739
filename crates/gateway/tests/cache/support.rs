//! A cache before an upstream that does what the story says, and counts.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use gateway::cache::{CacheService, CacheSettings, HttpCache, SecondLevel, StoreSettings};
use http::{HeaderMap, Request, Response, StatusCode, request};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use kernel::{ManualClock, Sources, SystemRandom, Timestamp};
use platform::metrics::{HttpCacheLabels, Metrics};
use platform::tasks::Shutdown;
use std::sync::Mutex;
use tokio::sync::mpsc;
use tower::{Layer, Service};
use wire::{Body, BoxError};

/// 14 November 2023, 22:13:20.
pub(crate) const START: i64 = 1_700_000_000_000_000;

type Script = Box<dyn FnMut(usize, &request::Parts) -> BoxFuture<'static, Response<Body>> + Send>;

/// Answers by a script, and remembers what it was asked.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Mutex<Scripted>>);

struct Scripted {
    script: Script,
    asked: Vec<request::Parts>,
}

impl Upstream {
    fn new() -> Self {
        let script: Script = Box::new(|_, _| Box::pin(async { answer(404, &[], "") }));
        Self(Arc::new(Mutex::new(Scripted {
            script,
            asked: Vec::new(),
        })))
    }

    /// From now on, answers like this; the first argument counts from one.
    pub(crate) fn answers(
        &self,
        mut script: impl FnMut(usize, &request::Parts) -> Response<Body> + Send + 'static,
    ) {
        self.answers_later(move |count, request| {
            let response = script(count, request);
            Box::pin(async { response })
        });
    }

    pub(crate) fn answers_later(
        &self,
        script: impl FnMut(usize, &request::Parts) -> BoxFuture<'static, Response<Body>>
        + Send
        + 'static,
    ) {
        self.0.lock().expect("whole").script = Box::new(script);
    }

    /// Answers with these fields, and with the count of requests as the body.
    pub(crate) fn counts(&self, fields: &'static [(&'static str, &'static str)]) {
        self.answers(move |count, _| answer(200, fields, &count.to_string()));
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.lock().expect("whole").asked.len()
    }

    /// The last request.
    pub(crate) fn last(&self) -> request::Parts {
        let state = self.0.lock().expect("whole");
        state.asked.last().expect("a request").clone()
    }
}

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut state = self.0.lock().expect("whole");
        let (head, _) = request.into_parts();
        state.asked.push(head.clone());
        let count = state.asked.len();
        let answering = (state.script)(count, &head);
        Box::pin(async move { Ok(answering.await) })
    }
}

pub(crate) fn answer(status: u16, fields: &[(&str, &str)], body: &str) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response
        .body(Body::full(body.to_owned()))
        .expect("a response")
}

/// A body that comes in parts, as the story sends them.
pub(crate) struct Parts {
    pub(crate) parts: mpsc::UnboundedReceiver<Result<Bytes, BoxError>>,
    pub(crate) length: Option<u64>,
}

pub(crate) type Sender = mpsc::UnboundedSender<Result<Bytes, BoxError>>;

pub(crate) fn parts(length: Option<u64>) -> (Sender, Body) {
    let (sender, parts) = mpsc::unbounded_channel();
    (sender, Body::new(Parts { parts, length }))
}

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let part = std::task::ready!(self.parts.poll_recv(cx));
        Poll::Ready(part.map(|part| part.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

pub(crate) struct World {
    pub(crate) cache: HttpCache,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) upstream: Upstream,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: Shutdown,
}

pub(crate) type Cached = CacheService<Upstream>;

impl World {
    pub(crate) fn new() -> Self {
        Self::with(StoreSettings::default(), None)
    }

    pub(crate) fn with(settings: StoreSettings, second: Option<Arc<dyn SecondLevel>>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(START)));
        let metrics = Metrics::new();
        let shutdown = Shutdown::new();
        let sources = Sources::new(clock.clone(), Arc::new(SystemRandom));
        let families = &metrics.http_cache;
        let cache = HttpCache::new(settings, sources, families, second, shutdown.clone());
        Self {
            cache,
            clock,
            upstream: Upstream::new(),
            metrics,
            shutdown,
        }
    }

    pub(crate) fn route(&self, settings: CacheSettings) -> Cached {
        self.named("route", settings)
    }

    pub(crate) fn named(&self, name: &str, settings: CacheSettings) -> Cached {
        let layer = self.cache.layer(name, settings).expect("settings fit");
        layer.layer(self.upstream.clone())
    }

    pub(crate) fn plain(&self) -> Cached {
        self.route(CacheSettings::default())
    }

    pub(crate) fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Hits, misses, revalidations, stale answers.
    pub(crate) fn counted(&self) -> [u64; 4] {
        let labels = HttpCacheLabels {
            route: String::from("route"),
        };
        let families = &self.metrics.http_cache;
        [
            &families.hits,
            &families.misses,
            &families.revalidations,
            &families.stale,
        ]
        .map(|family| family.get_or_create(&labels).get())
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    /// `Cache-Status`.
    pub(crate) fn cache(&self) -> &str {
        self.field("cache-status")
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.cache().contains("; hit")
    }
}

pub(crate) fn request(method: &str, uri: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    if !fields.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "shop.example");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).expect("a request")
}

pub(crate) async fn begin(
    service: &Cached,
    method: &str,
    uri: &str,
    fields: &[(&str, &str)],
) -> Response<Body> {
    let request = request(method, uri, fields);
    match service.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

pub(crate) async fn read(response: Response<Body>) -> Seen {
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Seen {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}

pub(crate) async fn send(
    service: &Cached,
    method: &str,
    uri: &str,
    fields: &[(&str, &str)],
) -> Seen {
    read(begin(service, method, uri, fields).await).await
}

pub(crate) async fn get(service: &Cached, uri: &str) -> Seen {
    send(service, "GET", uri, &[]).await
}

pub(crate) async fn get_with(service: &Cached, uri: &str, fields: &[(&str, &str)]) -> Seen {
    send(service, "GET", uri, fields).await
}

/// Lets background work go as far as it can.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
