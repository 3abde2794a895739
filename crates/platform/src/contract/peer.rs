//! The side that calls: the instances of one role in other processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kernel::problem::codes;
use kernel::{Kind, Problem, Sources};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::held::Held;
use super::instances::{Instance, Instances};
use super::peer_key::{PROOF, PeerKey};
use crate::context::RequestContext;
use crate::http::entry::{DEADLINE, TRACEPARENT};
use crate::metrics::{Metrics, RoleLabels};

/// How calls to other processes behave.
#[derive(Debug, Clone)]
pub struct PeerSettings {
    /// The longest that a call may take.
    pub deadline: Duration,
    /// Bytes of an answer.
    pub body_limit: usize,
}

/// Tenths of a repetition that each call earns: one call in ten may be repeated, and a few more
/// after a quiet time.
const EARNED: i64 = 1;
const COST: i64 = 10;
const SAVINGS: i64 = 200;

/// The instances of one role. Calls go round them.
#[derive(Debug)]
pub struct Peer {
    role: &'static str,
    instances: Instances,
    budget: AtomicI64,
    client: Client<HttpConnector, Body>,
    key: PeerKey,
    sources: Sources,
    settings: PeerSettings,
}

/// A call that did not come to an answer.
struct Failed {
    problem: Problem,
    /// Whether another instance may be asked, if it does no harm to ask twice.
    repeat: bool,
    /// Whether the instance cannot have seen it.
    unseen: bool,
}

impl Failed {
    const fn finally(problem: Problem) -> Self {
        Self {
            problem,
            repeat: false,
            unseen: false,
        }
    }
}

impl Peer {
    /// The instances of `role` at `addresses` (`http://host:port`).
    pub fn new(
        role: &'static str,
        addresses: &[Uri],
        key: PeerKey,
        sources: Sources,
        settings: PeerSettings,
        metrics: &Metrics,
    ) -> Arc<Self> {
        let labels = RoleLabels { role };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(Duration::from_secs(10))
            .http2_keep_alive_timeout(Duration::from_secs(5))
            .build(connector);
        let authorities = addresses.iter().filter_map(|uri| uri.authority().cloned());
        let counter = |of: &Family<RoleLabels, Counter>| of.get_or_create(&labels).clone();
        let (failed, ejected) = (&metrics.peer_failures, &metrics.peer_ejections);
        let instances = Instances::new(authorities, counter(failed), counter(ejected));
        let budget = AtomicI64::new(SAVINGS);
        Arc::new(Self {
            role,
            instances,
            budget,
            client,
            key,
            sources,
            settings,
        })
    }

    /// Calls a contract method and returns its JSON, or the problem that it answered with.
    pub(crate) async fn call(&self, path: &str, request: Bytes) -> Result<Vec<u8>, Problem> {
        let limit = self.settings.deadline;
        let limit = RequestContext::with_current(|context| {
            context.map_or(limit, |context| context.remaining(limit))
        });
        self.earn();
        let calling = async {
            match self.attempt(path, request.clone()).await {
                Err(failed) if failed.repeat && self.may_repeat() => {
                    self.attempt(path, request).await
                }
                result => result,
            }
        };
        match tokio::time::timeout(limit, calling).await {
            Ok(result) => result.map_err(|failed| failed.problem),
            Err(_) => {
                let detail = format!("{} did not answer within {limit:?}", self.role);
                Err(Problem::new(
                    Kind::DeadlineExceeded,
                    codes::DEADLINE,
                    detail,
                ))
            }
        }
    }

    /// Passes a request on as it is, and its answer back, both streaming. Repeated once, on another
    /// instance, if the first cannot have seen it, or if it may see it twice.
    pub async fn forward(&self, request: Request<Body>) -> Result<Response<Body>, Problem> {
        let (head, body) = request.into_parts();
        let body = Held::new(body);
        self.earn();
        let sent = match self.pass_on(&head, &body).await {
            Err(failed)
                if body.is_whole()
                    && (failed.unseen || failed.repeat && head.method.is_safe())
                    && self.may_repeat() =>
            {
                self.pass_on(&head, &body).await
            }
            sent => sent,
        };
        sent.map_err(|failed| failed.problem)
    }

    async fn pass_on(&self, head: &Parts, body: &Held) -> Result<Response<Body>, Failed> {
        let path = head.uri.path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let instance = self.instance()?;
        let mut head = head.clone();
        head.uri = uri(&instance, path);
        head.version = http::Version::HTTP_2;
        let request = Request::from_parts(head, body.body());
        let (mut parts, body) = self.send(&instance, request).await?.into_parts();
        parts.headers.remove(PROOF);
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    fn instance(&self) -> Result<Arc<Instance>, Failed> {
        let chosen = self.instances.choose(Instant::now());
        chosen.ok_or_else(|| Failed::finally(self.away("no instance is known")))
    }

    async fn attempt(&self, path: &str, request: Bytes) -> Result<Vec<u8>, Failed> {
        let instance = self.instance()?;
        let path = PathAndQuery::try_from(path).expect("paths of contracts are plain");
        let mut outgoing = Request::new(Body::from(request));
        *outgoing.method_mut() = Method::POST;
        *outgoing.uri_mut() = uri(&instance, path);
        outgoing
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = self.send(&instance, outgoing).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), self.settings.body_limit)
            .collect()
            .await;
        let body = body
            .map_err(|error| Failed::finally(self.away(&error.to_string())))?
            .to_bytes();
        if status.is_success() {
            return Ok(body.into());
        }
        let problem = serde_json::from_slice::<Problem>(&body)
            .unwrap_or_else(|_| self.away(&format!("it answered {status} without a problem")));
        let repeat = problem.kind() == Kind::Unavailable;
        Err(Failed {
            repeat,
            ..Failed::finally(problem)
        })
    }

    async fn send(
        &self,
        instance: &Instance,
        mut request: Request<Body>,
    ) -> Result<Response<hyper::body::Incoming>, Failed> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let proof = self
            .key
            .prove(&self.sources, request.method().as_str(), &path);
        let headers = request.headers_mut();
        headers.insert(PROOF, proof.clone());
        if let Some(context) = RequestContext::current() {
            let left = context.remaining(self.settings.deadline).as_millis();
            headers.insert(
                DEADLINE,
                HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX)),
            );
            headers.insert(TRACEPARENT, context.trace.traceparent());
        }
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => {
                instance.failed();
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let problem = self.away(&cause.unwrap_or_else(|| error.to_string()));
                return Err(Failed {
                    problem,
                    repeat: true,
                    unseen: error.is_connect(),
                });
            }
        };
        instance.answered();
        let answer = response
            .headers()
            .get(PROOF)
            .and_then(|value| value.to_str().ok());
        let proof = proof.to_str().unwrap_or_default();
        let status = response.status().as_u16();
        if answer.is_some_and(|answer| self.key.acknowledged(answer, proof, status)) {
            return Ok(response);
        }
        let detail = "it did not prove to know the key; compare internal.key on both sides";
        Err(Failed::finally(self.away(detail)))
    }

    /// An instance that has announced itself is there until `lease` is over, unless it does so again.
    /// `false` if there are too many.
    pub fn announced(&self, authority: &Authority, lease: Duration) -> bool {
        self.instances.announced(authority, lease, Instant::now())
    }

    /// An instance that had announced itself gets no more calls.
    pub fn left(&self, authority: &Authority) {
        self.instances.left(authority);
    }

    fn may_repeat(&self) -> bool {
        let spend = |saved: i64| (saved >= COST).then_some(saved - COST);
        self.budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
            .is_ok()
    }

    fn earn(&self) {
        let earn = |saved: i64| Some((saved + EARNED).min(SAVINGS));
        let _ = self
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, earn);
    }

    fn away(&self, why: &str) -> Problem {
        let detail = format!("{} is away: {why}", self.role);
        Problem::unavailable(codes::UNAVAILABLE, detail, 1)
    }
}

fn uri(instance: &Instance, path: PathAndQuery) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(instance.authority.clone());
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).expect("scheme, authority and path are there")
}
