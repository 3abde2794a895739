//! What happens to every request at the listener, before any route is looked at.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use tower::Service;
use wire::deadline::Deadline;
use wire::server::Connection;
use wire::{Body, turn};

use super::problem::{Unwritten, refuse, write};
use super::refused::{Asked, Refused, Watch};
use super::{ApiError, HttpContext, HttpSettings, upload};
use crate::context::{Entered, RequestContext, RequestId};
use crate::telemetry::TraceContext;

/// Names the request in the answer, in logs and in problems. What the client sends is kept if it
/// is plain; else it is the trace id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How many milliseconds the caller still waits; only believed between processes of one shop.
pub const DEADLINE: HeaderName = HeaderName::from_static("rialto-deadline-ms");

/// The address of the client; only believed between processes of one shop.
pub const CLIENT: HeaderName = HeaderName::from_static("rialto-client");

/// Whether this listener is for processes of the shop only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Anybody can reach it.
    Public,
    /// Only callers that have proved to belong here do.
    Internal,
}

/// Gives each request its context, and its answer the request id; turns panics, late answers and
/// problems into `application/problem+json`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Entry<S> {
    shared: Arc<Shared>,
    trust: Trust,
    connection: Option<Connection>,
    inner: S,
}

/// Behind one pointer, as every connection holds it.
#[derive(Debug)]
struct Shared {
    http: HttpContext,
    /// Who hears of what `inner` does not.
    watch: Option<Arc<dyn Watch>>,
}

impl<S> Entry<S> {
    /// The entry to `inner`.
    pub fn new(http: &HttpContext, trust: Trust, inner: S) -> Self {
        let (http, watch) = (http.clone(), None);
        Self {
            shared: Arc::new(Shared { http, watch }),
            trust,
            connection: None,
            inner,
        }
    }

    /// The same entry; `watch` hears of requests that are refused before `inner` is asked.
    pub fn watched(self, watch: Arc<dyn Watch>) -> Self {
        let (http, watch) = (self.shared.http.clone(), Some(watch));
        Self {
            shared: Arc::new(Shared { http, watch }),
            ..self
        }
    }

    /// From now on all requests are those of this connection.
    pub fn connect(&mut self, connection: &Connection) {
        self.connection = Some(*connection);
    }
}

impl<S> Service<Request<Body>> for Entry<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let shared = &*self.shared;
        let said = Said::by(request.headers());
        let asked = (&request, &said);
        let mut arrival = Arrival::of(&shared.http, self.trust, self.connection, asked);
        let bytes = said.bytes;
        let (context, rate) = (arrival.context.context(), shared.http.settings.body_rate);
        upload::watch(&mut request, context, arrival.started, rate);
        // Called here and not in the future, which would hold the request, and be so much larger.
        let running = match too_long(request.uri(), bytes, &shared.http.settings) {
            Some(problem) => {
                if let Some(watch) = &shared.watch {
                    watch.refused(&arrival.refused(&request, &problem));
                }
                Err(problem)
            }
            None => arrival.context.enter(|| {
                let call = AssertUnwindSafe(|| self.inner.call(request));
                std::panic::catch_unwind(call).map_err(|_| panicked())
            }),
        };
        Box::pin(arrival.answer(running))
    }
}

/// What is known of a request while it is answered.
struct Arrival {
    started: Instant,
    limit: Duration,
    /// From when on that is told.
    slow: Duration,
    context: Entered,
    uri: Uri,
}

impl Arrival {
    fn of(
        http: &HttpContext,
        trust: Trust,
        connection: Option<Connection>,
        (request, said): (&Request<Body>, &Said<'_>),
    ) -> Self {
        let started = turn::now().into_std();
        let trace = said.trace(http);
        let limit = said.deadline(http, trust);
        let named = said.request_id.filter(|id| is_plain(id)).cloned();
        let request_id = named.map_or(RequestId::OfTrace, RequestId::Named);
        Self {
            started,
            limit,
            slow: http.settings.slow,
            context: Entered::new(RequestContext::of_request(
                trace,
                started + limit,
                request_id,
                connection,
            )),
            uri: request.uri().clone(),
        }
    }

    /// The request as it is refused for `problem`.
    fn refused<'a>(&'a self, request: &'a Request<Body>, problem: &Problem) -> Refused<'a> {
        let status = StatusCode::from_u16(problem.status);
        Refused {
            status: status.unwrap_or(StatusCode::BAD_REQUEST),
            connection: self.context.context().connection,
            asked: Some(Asked {
                request,
                context: self.context.context(),
                took: self.started.elapsed(),
            }),
        }
    }

    async fn answer(
        mut self,
        running: Result<impl Future<Output = Result<Response<Body>, Infallible>>, Problem>,
    ) -> Result<Response<Body>, Infallible> {
        let mut response = match running {
            Ok(running) => {
                let mut late = Deadline::at((self.started + self.limit).into());
                let mut running = pin!(running);
                poll_fn(|cx| self.poll(running.as_mut(), &mut late, cx)).await
            }
            Err(problem) => refuse(problem),
        };
        let context = self.context.context();
        let (path, trace) = (self.uri.path(), context.trace);
        write_refusal(&mut response, path, trace);
        // Who has measured it has just looked at the clock.
        let took = turn::now()
            .into_std()
            .saturating_duration_since(self.started)
            // What the client takes to send its body is its own affair.
            .saturating_sub(context.put_off());
        if took > self.slow {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(path, millis, trace_id = %trace.trace_id_text(), "a slow answer");
        }
        if let Some(id) = context.request_id_value() {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Ok(response)
    }

    /// What `running` answers, in the context of the request: in time, and without a panic. By hand, as
    /// each of the futures that do one of this would copy the answer, and what is answered at once needs
    /// no timer.
    fn poll(
        &mut self,
        running: Pin<&mut impl Future<Output = Result<Response<Body>, Infallible>>>,
        late: &mut Deadline,
        cx: &mut Context<'_>,
    ) -> Poll<Response<Body>> {
        // Handed out behind the back of those that call it, which would each copy it.
        let mut answered = Poll::Pending;
        let poll = AssertUnwindSafe(|| answered = running.poll(cx));
        let polled = self.context.enter(|| std::panic::catch_unwind(poll));
        match (polled, answered) {
            (Ok(()), Poll::Ready(Ok(response))) => return Poll::Ready(response),
            (Ok(()), Poll::Ready(Err(never))) => match never {},
            (Ok(()), Poll::Pending) => {}
            (Err(_), _) => return Poll::Ready(refuse(panicked())),
        }
        let context = self.context.context();
        late.until((self.started + self.limit + context.put_off()).into());
        late.poll(cx).map(|()| {
            refuse(if context.awaits_body() {
                Problem::late_body()
            } else {
                late_answer(self.limit)
            })
        })
    }
}

fn late_answer(limit: Duration) -> Problem {
    let detail = format!("no answer within {limit:?}");
    Problem::new(Kind::DeadlineExceeded, codes::DEADLINE, detail)
}

fn panicked() -> Problem {
    Problem::new(Kind::Internal, codes::INTERNAL, "the handler panicked")
}

/// The parser lets twice as much through, so that what is a little too long gets an answer that
/// says so.
fn too_long(target: &Uri, header: usize, settings: &HttpSettings) -> Option<Problem> {
    let target = target.path_and_query();
    if target.is_some_and(|target| target.as_str().len() > settings.uri_limit) {
        let detail = format!("the target is longer than {} bytes", settings.uri_limit);
        return Some(Problem::new(Kind::UriTooLong, codes::URI_TOO_LONG, detail));
    }
    if header > settings.header_limit {
        let limit = settings.header_limit;
        let detail = format!("the header section is larger than {limit} bytes");
        let code = codes::HEADERS_TOO_LARGE;
        return Some(Problem::new(Kind::HeadersTooLarge, code, detail));
    }
    None
}

/// Writes the problem of an answer, if it is one, to what `path` asked for in `trace`. For what changes or
/// keeps answers before they leave; all others are written at the listener.
pub fn write_refusal(response: &mut Response<Body>, path: &str, trace: TraceContext) {
    if let Some(Unwritten(problem)) = response.extensions_mut().remove::<Unwritten>() {
        *response = told(&problem, path, trace, response);
    }
}

/// Writes the problem, keeps the headers that were set, and logs what is our fault with its whole
/// chain of causes: the one place where that happens.
fn told(
    problem: &Problem,
    path: &str,
    trace: TraceContext,
    bare: &Response<Body>,
) -> Response<Body> {
    let trace_id = trace.trace_id_text();
    if problem.status >= 500 {
        let causes = causes(problem);
        tracing::error!(
            code = %problem.code, status = problem.status, path, trace_id, causes, "a request failed"
        );
    }
    let mut written = write(&problem.clone().at(path, Some(trace_id)));
    for (name, value) in bare.headers() {
        // The length is that of the body which was not written; who refuses a token may say more
        // of why than the problem does.
        let told = written.headers().contains_key(name) && *name != WWW_AUTHENTICATE;
        if *name != CONTENT_LENGTH && !told {
            written.headers_mut().insert(name.clone(), value.clone());
        }
    }
    *written.extensions_mut() = bare.extensions().clone();
    written
}

fn causes(problem: &Problem) -> String {
    let mut chain = problem.detail.clone();
    let mut cause = std::error::Error::source(problem);
    while let Some(error) = cause {
        chain.push_str(": ");
        chain.push_str(&error.to_string());
        cause = error.source();
    }
    chain
}

/// What fields say to the entry, found in one walk: looking for each would cost more.
#[derive(Default)]
struct Said<'a> {
    /// Of all names and values.
    bytes: usize,
    traceparent: Option<&'a HeaderValue>,
    request_id: Option<&'a HeaderValue>,
    deadline: Option<&'a HeaderValue>,
}

impl<'a> Said<'a> {
    fn by(headers: &'a HeaderMap) -> Self {
        let mut said = Self::default();
        for (name, value) in headers {
            said.bytes += name.as_str().len() + value.len();
            let place = match name {
                name if *name == TRACEPARENT => &mut said.traceparent,
                name if *name == REQUEST_ID => &mut said.request_id,
                name if *name == DEADLINE => &mut said.deadline,
                _ => continue,
            };
            // Of several the first counts.
            place.get_or_insert(value);
        }
        said
    }

    fn trace(&self, http: &HttpContext) -> TraceContext {
        let sent = self.traceparent.and_then(|value| value.to_str().ok());
        match sent.and_then(|text| text.parse::<TraceContext>().ok()) {
            Some(parent) => parent.child(&http.sources),
            None => TraceContext::root(&http.sources),
        }
    }

    fn deadline(&self, http: &HttpContext, trust: Trust) -> Duration {
        let limit = http.settings.deadline;
        if trust == Trust::Public {
            return limit;
        }
        let asked = self
            .deadline
            .and_then(|value| value.to_str().ok()?.parse().ok());
        asked.map_or(limit, |millis| limit.min(Duration::from_millis(millis)))
    }
}

/// What a client calls its request, if that is plain.
pub fn named_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(REQUEST_ID).filter(|id| is_plain(id))
}

fn is_plain(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// Answers for paths that no route has.
pub async fn no_route() -> ApiError {
    Problem::new(Kind::NotFound, codes::NO_ROUTE, "no route has this path").into()
}

/// Answers for methods that a path does not have.
pub async fn method_not_allowed() -> ApiError {
    let detail = "the path exists, but not with this method; see the Allow header";
    Problem::new(Kind::MethodNotAllowed, codes::METHOD_NOT_ALLOWED, detail).into()
}
