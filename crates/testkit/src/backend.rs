//! A server that is none of ours, for the gateway to lead to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::server::{self, Protocol, Settings};
use wire::{Body, Stream};

/// Answers every request with a JSON document that tells what it has seen: `server`, `method`,
/// `target`, `headers` (by name), `body`. Stops listening, and closes what is open, when dropped.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    state: Arc<State>,
    /// Open connections end with their running request.
    drain: CancellationToken,
    /// Nobody listens any more.
    closed: CancellationToken,
}

#[derive(Debug)]
struct State {
    name: String,
    status: AtomicU16,
    requests: AtomicUsize,
    silent: watch::Sender<bool>,
    headers: Mutex<Vec<(http::HeaderName, http::HeaderValue)>>,
}

impl Backend {
    /// Starts a server on a free port.
    pub async fn start(name: &str) -> Self {
        Self::start_at(name, ([127, 0, 0, 1], 0).into()).await
    }

    /// Starts one where another one was.
    pub async fn start_at(name: &str, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let backend = Self {
            address: listener.local_addr().expect("bound"),
            state: Arc::new(State {
                name: name.to_owned(),
                status: AtomicU16::new(200),
                requests: AtomicUsize::new(0),
                silent: watch::Sender::new(false),
                headers: Mutex::default(),
            }),
            drain: CancellationToken::new(),
            closed: CancellationToken::new(),
        };
        let (state, drain) = (backend.state.clone(), backend.drain.clone());
        let closed = backend.closed.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's backend")]
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = closed.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, _)) = accepted else { return };
                let serving = serve(stream, state.clone(), drain.clone());
                tokio::spawn(serving);
            }
        });
        backend
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every answer has this status.
    pub fn answers_with(&self, status: u16) {
        self.state.status.store(status, Ordering::SeqCst);
    }

    /// From now on every answer has this header, once.
    pub fn tells(&self, name: &'static str, value: &str) {
        let name = http::HeaderName::from_static(name);
        let value = value.parse().expect("a value of a header");
        let mut headers = self.state.headers.lock().expect("held for a moment");
        headers.retain(|(known, _)| *known != name);
        headers.push((name, value));
    }

    /// From now on there are no answers.
    pub fn falls_silent(&self) {
        self.state.silent.send_replace(true);
    }

    /// Requests are answered again, those that wait too.
    pub fn speaks_again(&self) {
        self.state.silent.send_replace(false);
    }

    /// How many requests it has had.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.closed.cancel();
        self.drain.cancel();
    }
}

async fn serve(stream: TcpStream, state: Arc<State>, drain: CancellationToken) {
    let answers = tower::service_fn(move |request| answer(state.clone(), request));
    let settings = Arc::new(Settings::default());
    server::serve(
        Stream::tcp(stream),
        Protocol::Unknown,
        answers,
        settings,
        drain,
    )
    .await;
}

async fn answer(state: Arc<State>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    state.requests.fetch_add(1, Ordering::SeqCst);
    let mut silent = state.silent.subscribe();
    silent
        .wait_for(|silent| !silent)
        .await
        .expect("the state is there");
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let headers: BTreeMap<&str, &str> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("?")))
        .collect();
    let seen: Value = json!({
        "server": state.name,
        "method": parts.method.as_str(),
        "target": parts.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    let mut response = Response::new(Body::full(seen.to_string()));
    let status = state.status.load(Ordering::SeqCst);
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    let json = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    for (name, value) in state.headers.lock().expect("held for a moment").iter() {
        response.headers_mut().append(name, value.clone());
    }
    Ok(response)
}
