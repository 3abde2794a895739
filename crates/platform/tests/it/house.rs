//! A small service behind a real listener, and a client that can misbehave.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kernel::{Access, Permission, Problem, Sources, Validate, Violations};
use platform::auth::{Authenticator, JwkSet, KeySource};
use platform::http::entry::{Entry, Trust, method_not_allowed, no_route};
use platform::http::serve::{self, Routed, Threads};
use platform::http::{HttpContext, HttpSettings, Reply, Routes};
use platform::metrics::Metrics;
use platform::route;
use platform::tasks::{Shutdown, TaskGroup};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use utoipa::ToSchema;

/// What requests wait for, and whether one was given up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bell {
    pub(crate) arrived: Arc<Notify>,
    pub(crate) rings: Arc<Notify>,
    pub(crate) given_up: Arc<AtomicBool>,
}

/// Notes that whoever waits was dropped before the bell rang.
struct Waiting<'a>(&'a AtomicBool);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A body with a rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    text: String,
    #[expect(dead_code, reason = "only read")]
    #[schema(value_type = Object)]
    more: Option<Value>,
}

impl Validate for Note {
    fn validate(&self, violations: &mut Violations) {
        violations.require(self.text != "bad", "text", "must not be bad");
    }
}

mod keep_note {
    use platform::http::{ApiError, PathId, Valid};

    use super::{Note, Reply, json};

    #[utoipa::path(post, path = "/notes/{id}", responses((status = 200)))]
    pub(crate) async fn handler(
        PathId(id): PathId<u32>,
        Valid(note): Valid<Note>,
    ) -> Result<Reply, ApiError> {
        Ok(Reply::ok(&json!({"id": id, "length": note.text.len()})))
    }
}

mod wait {
    use super::{Bell, Ordering, Reply, State, Waiting, json};

    #[utoipa::path(get, path = "/wait", responses((status = 200)))]
    pub(crate) async fn handler(State(bell): State<Bell>) -> Reply {
        let waiting = Waiting(&bell.given_up);
        bell.arrived.notify_one();
        bell.rings.notified().await;
        std::mem::forget(waiting);
        Reply::ok(&json!({"given_up": bell.given_up.load(Ordering::SeqCst)}))
    }
}

mod panics {
    use super::Reply;

    #[utoipa::path(get, path = "/panic", responses((status = 200)))]
    pub(crate) async fn handler() -> Reply {
        panic!("the secret reason")
    }
}

mod secret {
    use super::Reply;

    #[utoipa::path(get, path = "/secret", responses((status = 200)))]
    pub(crate) async fn handler() -> Reply {
        Reply::no_content()
    }
}

/// Nobody has a token here.
struct NoKeys;

impl KeySource for NoKeys {
    fn keys(&self) -> Pin<Box<dyn Future<Output = Result<JwkSet, Problem>> + Send + '_>> {
        Box::pin(std::future::ready(Ok(JwkSet::default())))
    }
}

pub(crate) fn settings() -> HttpSettings {
    HttpSettings {
        deadline: Duration::from_secs(20),
        header_timeout: Duration::from_secs(20),
        header_limit: 4096,
        uri_limit: 200,
        body_limit: 1000,
        body_rate: 1000,
        json_depth: 8,
        slow: Duration::from_secs(20),
        connections: 100,
        connections_per_address: 0,
    }
}

pub(crate) fn context(settings: HttpSettings, sources: Sources, metrics: &Metrics) -> HttpContext {
    let source = Box::new(NoKeys);
    let issuer = String::from("test");
    let authenticator = Authenticator::new(source, sources.clone(), issuer, 10, metrics);
    HttpContext {
        settings: Arc::new(settings),
        sources,
        metrics: metrics.clone(),
        authenticator,
    }
}

/// A listener with the service behind it; it closes when it is dropped.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) bell: Bell,
    pub(crate) metrics: Metrics,
    pub(crate) tasks: TaskGroup,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl House {
    pub(crate) fn open() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: HttpSettings) -> Self {
        let (bell, metrics) = (Bell::default(), Metrics::new());
        let http = context(settings, Sources::system(), &metrics);
        let routes = [
            route!(keep_note, Access::Anyone),
            route!(wait, Access::Anyone),
            route!(panics, Access::Anyone),
            route!(secret, Access::Staff(Permission::StaffManage)),
        ];
        let router = Routes::new("house", routes)
            .serve(bell.clone(), &http)
            .fallback(no_route)
            .method_not_allowed_fallback(method_not_allowed);
        let entry = Entry::new(&http, Trust::Public, Routed(router));
        let (address, tasks) = listen(entry, &http.settings);
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self {
            address,
            bell,
            metrics,
            tasks,
            client,
        }
    }

    pub(crate) fn shutdown(&self) -> &Shutdown {
        self.tasks.shutdown()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Sends a note as JSON.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(
            Method::POST,
            path,
            &[("content-type", "application/json")],
            body,
        )
        .await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method);
        request = request.uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("a request");
        let (head, body) = self
            .client
            .request(request)
            .await
            .expect("an answer")
            .into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Answer::new(head.status.as_u16(), head.headers, &bytes)
    }

    /// A connection that sends what it is told and reads to the end.
    pub(crate) async fn raw(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        // A server that wants no connection may have closed it already.
        let _ = stream.write_all(text.as_bytes()).await;
        let mut answer = Vec::new();
        // A server that refuses a body may close while it is still on its way.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.tasks.shutdown().begin();
    }
}

/// Serves something on a free port.
pub(crate) fn listen(
    answers: impl wire::server::Answers + Sync + 'static,
    settings: &Arc<HttpSettings>,
) -> (SocketAddr, TaskGroup) {
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let tasks = TaskGroup::new(Shutdown::new());
    let stop = tasks.shutdown().clone();
    tasks.spawn(
        "listener",
        serve::serve(listener, answers, settings.clone(), Threads::Shared, stop),
    );
    (address, tasks)
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    fn new(status: u16, headers: HeaderMap, bytes: &[u8]) -> Self {
        let body = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        Self {
            status,
            headers,
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }

    /// Checks that it is a problem that tells what it must, and returns it.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status, &self.body["code"]),
            (status, &json!(code)),
            "{self:?}"
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], format!("/errors/{code}"));
        assert!(
            self.body["instance"]
                .as_str()
                .is_some_and(|path| path.starts_with('/'))
        );
        let trace_id = self.body["trace_id"].as_str().expect("a trace id");
        assert_eq!(trace_id.len(), 32, "{trace_id}");
        self.body
    }
}
