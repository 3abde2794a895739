//! Calls between processes: who may, what crosses, and what happens when the other side is away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use http::Uri;
use kernel::contract::Answer;
use kernel::problem::codes;
use kernel::{Clock, Kind, ManualClock, Problem, Secret, Sources, SystemRandom, Timestamp};
use parking_lot::Mutex;
use platform::context::RequestContext;
use platform::contract::{
    LocalCalls, Peer, PeerKey, PeerSettings, PeersOnly, RemoteCalls, contract_router,
};
use platform::http::entry::{Entry, Trust, method_not_allowed, no_route};
use platform::http::serve::Routed;
use platform::metrics::Metrics;
use platform::tasks::TaskGroup;
use platform::telemetry::TraceContext;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{context, listen, settings};

const BODY_LIMIT: usize = 10_000;

kernel::service_contract! {
    /// Answers in several ways.
    pub trait EchoApi, client EchoClient, server EchoServer, service "echo" {
        /// The same text.
        say(String) -> String;
        /// A refusal that carries facts.
        refuse(()) -> ();
        /// Breaks.
        panic(()) -> ();
        /// Where the call stands in its trace, and how long its caller still waits.
        circumstances(()) -> Circumstances;
        /// Never answers.
        hang(()) -> ();
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Circumstances {
    trace: String,
    millis: u64,
}

/// Counts its calls; is busy for the first few.
#[derive(Debug, Default)]
struct Echo {
    calls: AtomicUsize,
    busy_for: AtomicUsize,
    busy_with: Mutex<Option<Problem>>,
}

impl EchoApi for Echo {
    fn say(&self, text: String) -> Answer<'_, String> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let less = |left: usize| left.checked_sub(1);
        let busy = self
            .busy_for
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok();
        let problem = self.busy_with.lock().clone().filter(|_| busy);
        Box::pin(std::future::ready(problem.map_or(Ok(text), Err)))
    }

    fn refuse(&self, (): ()) -> Answer<'_, ()> {
        let problem = Problem::new(Kind::Conflict, codes::STALE, "out of date");
        Box::pin(std::future::ready(Err(problem.with_context("version", 7))))
    }

    fn panic(&self, (): ()) -> Answer<'_, ()> {
        panic!("the secret reason")
    }

    fn circumstances(&self, (): ()) -> Answer<'_, Circumstances> {
        Box::pin(async {
            let context = RequestContext::current().expect("a call has a context");
            let left = context.remaining(Duration::from_secs(3600));
            let millis = u64::try_from(left.as_millis()).expect("small");
            Ok(Circumstances {
                trace: context.trace.trace_id_text(),
                millis,
            })
        })
    }

    fn hang(&self, (): ()) -> Answer<'_, ()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}

fn key(text: &str) -> PeerKey {
    PeerKey::new(&Secret::new(text.repeat(32))).expect("long enough")
}

/// A process that answers.
struct Other {
    address: SocketAddr,
    echo: Arc<Echo>,
    tasks: TaskGroup,
}

impl Other {
    fn start() -> Self {
        Self::with(&Sources::system())
    }

    fn with(sources: &Sources) -> Self {
        let echo = Arc::new(Echo::default());
        let http = context(settings(), sources.clone(), &Metrics::new());
        let router = contract_router(vec![Arc::new(EchoServer(echo.clone()))], BODY_LIMIT)
            .fallback(no_route)
            .method_not_allowed_fallback(method_not_allowed);
        let entry = Entry::new(&http, Trust::Internal, Routed(router));
        let peers_only = PeersOnly::new(key("a"), sources.clone(), entry);
        let (address, tasks) = listen(peers_only, &http.settings);
        Self {
            address,
            echo,
            tasks,
        }
    }

    fn calls(&self) -> usize {
        self.echo.calls.load(Ordering::SeqCst)
    }

    /// Fails the next calls.
    fn is_busy(&self, times: usize, problem: Problem) {
        *self.echo.busy_with.lock() = Some(problem);
        self.echo.busy_for.store(times, Ordering::SeqCst);
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.tasks.shutdown().begin();
    }
}

fn client(addresses: &[SocketAddr]) -> EchoClient {
    client_with(addresses, key("a"), &Sources::system())
}

fn client_with(addresses: &[SocketAddr], key: PeerKey, sources: &Sources) -> EchoClient {
    EchoClient::remote(calls(addresses, key, sources, BODY_LIMIT))
}

fn calls(
    addresses: &[SocketAddr],
    key: PeerKey,
    sources: &Sources,
    body_limit: usize,
) -> Arc<RemoteCalls> {
    let peer = peer(addresses, key, sources, body_limit);
    Arc::new(RemoteCalls::new(peer, Metrics::new()))
}

fn peer(addresses: &[SocketAddr], key: PeerKey, sources: &Sources, body_limit: usize) -> Arc<Peer> {
    let uri = |address: &SocketAddr| format!("http://{address}").parse().expect("an address");
    let uris: Vec<Uri> = addresses.iter().map(uri).collect();
    let deadline = Duration::from_secs(10);
    let settings = PeerSettings {
        deadline,
        body_limit,
    };
    let metrics = Metrics::new();
    Peer::new("echo", &uris, key, sources.clone(), settings, &metrics)
}

/// An address at which nobody listens, but connections are counted and closed.
fn dead_end() -> (SocketAddr, Arc<AtomicUsize>, TaskGroup) {
    let listener = platform::http::serve::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let count = Arc::new(AtomicUsize::new(0));
    let tasks = TaskGroup::new(platform::tasks::Shutdown::new());
    let counted = count.clone();
    tasks.spawn("dead end", async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    (address, count, tasks)
}

#[tokio::test]
async fn a_call_is_the_same_here_and_there() {
    let other = Other::start();
    let here = EchoClient::local(other.echo.clone(), Arc::new(LocalCalls(Metrics::new())));
    let there = client(&[other.address]);
    for client in [here, there] {
        assert_eq!(client.say("hello".into()).await, Ok(String::from("hello")));
        let refused = client.refuse(()).await.expect_err("refused");
        assert!(refused.is(codes::STALE));
        assert_eq!(
            (refused.status, &refused.context["version"]),
            (409, &serde_json::json!(7))
        );
    }
}

#[tokio::test]
async fn a_defect_there_is_told_without_its_reason() {
    let other = Other::start();
    let broken = client(&[other.address])
        .panic(())
        .await
        .expect_err("broken");
    assert!(broken.is(codes::INTERNAL), "{broken}");
    assert!(!format!("{broken:?}").contains("secret reason"));
}

#[tokio::test]
async fn who_has_another_key_gets_nothing() {
    let other = Other::start();
    let stranger = client_with(&[other.address], key("b"), &Sources::system());
    let refused = stranger.say("hello".into()).await.expect_err("refused");
    assert!(refused.is(codes::UNAVAILABLE), "{refused}");
    assert!(refused.detail.contains("internal.key"), "{refused}");
    assert_eq!(other.calls(), 0);
}

#[tokio::test]
async fn who_proves_nothing_gets_a_problem() {
    let other = Other::start();
    let ask = async |proof: &str| {
        let mut stream = TcpStream::connect(other.address)
            .await
            .expect("a connection");
        let request = format!(
            "POST /internal/echo/say HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{proof}\
             content-type: application/json\r\ncontent-length: 7\r\n\r\n\"hello\""
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    };
    for proof in ["", "rialto-peer: x\r\n", "rialto-peer: 1.2.3\r\n"] {
        let answer = ask(proof).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
        assert!(answer.contains("auth.required"), "{answer}");
    }
    assert_eq!(other.calls(), 0);
}

#[tokio::test]
async fn a_proof_does_not_last() {
    let start = Timestamp::from_micros(1_800_000_000_000_000);
    let clocks = [start, start].map(|start| Arc::new(ManualClock::at(start)));
    let sources = clocks
        .clone()
        .map(|clock| Sources::new(clock, Arc::new(SystemRandom)));
    let other = Other::with(&sources[0]);
    let client = client_with(&[other.address], key("a"), &sources[1]);
    clocks[0].advance(Duration::from_secs(60));
    client
        .say("hello".into())
        .await
        .expect("clocks differ a little");
    clocks[0].advance(Duration::from_secs(1));
    let stale = client.say("hello".into()).await.expect_err("refused");
    assert!(stale.detail.contains("prove"), "{stale}");
    // In the other direction as well.
    clocks[1].advance(clocks[0].now().since(clocks[1].now()) + Duration::from_secs(61));
    client.say("hello".into()).await.expect_err("refused");
    assert_eq!(other.calls(), 1);
}

#[tokio::test]
async fn an_answer_of_somebody_else_does_not_count() {
    let liar = Router::new().route(
        "/internal/echo/say",
        axum::routing::post(|| std::future::ready("\"hello, from somebody else\"")),
    );
    let (address, tasks) = listen(Routed(liar), &Arc::new(settings()));
    let refused = client(&[address])
        .say("hello".into())
        .await
        .expect_err("refused");
    assert!(refused.is(codes::UNAVAILABLE), "{refused}");
    assert!(refused.detail.contains("prove"), "{refused}");
    tasks.shutdown().begin();
}

#[tokio::test]
async fn trace_and_deadline_cross() {
    let other = Other::start();
    let client = client(&[other.address]);
    let trace = TraceContext::root(&Sources::system());
    let deadline = Instant::now() + Duration::from_secs(5);
    let context = RequestContext::new(trace, Some(deadline));
    let there = context
        .scope(client.circumstances(()))
        .await
        .expect("an answer");
    assert_eq!(there.trace, trace.trace_id_text());
    assert!((1..=5000).contains(&there.millis), "{}", there.millis);
    let alone = client.circumstances(()).await.expect("an answer");
    assert_ne!(alone.trace, there.trace);
}

#[tokio::test]
async fn nobody_waits_longer_than_the_caller() {
    let other = Other::start();
    let client = client(&[other.address]);
    let soon = Instant::now() + Duration::from_millis(50);
    let context = RequestContext::new(TraceContext::root(&Sources::system()), Some(soon));
    let late = context.scope(client.hang(())).await.expect_err("given up");
    assert!(late.is(codes::DEADLINE), "{late}");
    assert_eq!(other.calls(), 1, "and it is not repeated");
}

#[tokio::test]
async fn what_is_busy_is_asked_once_more() {
    let (one, two) = (Other::start(), Other::start());
    let client = client(&[one.address, two.address]);
    one.is_busy(1, Problem::unavailable(codes::OVERLOADED, "busy", 1));
    client
        .say("hello".into())
        .await
        .expect("the other one answers");
    assert_eq!((one.calls(), two.calls()), (1, 1));
}

#[tokio::test]
async fn what_has_failed_for_good_is_not_repeated() {
    let other = Other::start();
    let client = client(&[other.address]);
    for (kind, code) in [
        (Kind::Internal, codes::INTERNAL),
        (Kind::Conflict, codes::STALE),
        (Kind::Invalid, codes::INVALID),
        (Kind::DeadlineExceeded, codes::DEADLINE),
    ] {
        let before = other.calls();
        other.is_busy(1, Problem::new(kind, code, "no"));
        let failed = client.say("hello".into()).await.expect_err("failed");
        assert!(failed.is(code), "{failed}");
        assert_eq!(other.calls() - before, 1, "{code}");
    }
}

#[tokio::test]
async fn a_dead_instance_is_left_out_and_nobody_notices() {
    let (dead, attempts, tasks) = dead_end();
    let alive = Other::start();
    let client = client(&[dead, alive.address]);
    for _ in 0..40 {
        client
            .say("hello".into())
            .await
            .expect("the other one answers");
    }
    assert_eq!(alive.calls(), 40);
    let attempts = attempts.load(Ordering::SeqCst);
    assert!((5..10).contains(&attempts), "asked {attempts} times");
    tasks.shutdown().begin();
}

#[tokio::test]
async fn repetitions_have_a_budget() {
    let other = Other::start();
    let client = client(&[other.address]);
    other.is_busy(
        usize::MAX,
        Problem::unavailable(codes::OVERLOADED, "busy", 1),
    );
    for _ in 0..100 {
        let busy = client.say("hello".into()).await.expect_err("busy");
        assert!(busy.is(codes::OVERLOADED), "{busy}");
    }
    // Twenty that were saved, and one for every ten calls.
    let repeated = other.calls() - 100;
    assert!((20..=31).contains(&repeated), "repeated {repeated} times");
}

#[tokio::test]
async fn nobody_there_is_told_as_such() {
    let gone = Other::start();
    let address = gone.address;
    gone.tasks.shutdown().begin();
    gone.tasks.drain(Duration::from_secs(5)).await;
    let away = client(&[address])
        .say("hello".into())
        .await
        .expect_err("away");
    assert!(away.is(codes::UNAVAILABLE), "{away}");
    assert_eq!(away.retry_after, Some(1));
    let nobody = client(&[]).say("hello".into()).await.expect_err("nobody");
    assert!(nobody.detail.contains("no instance is known"), "{nobody}");
}

#[tokio::test]
async fn messages_have_a_limit() {
    let other = Other::start();
    let ample = client(&[other.address]);
    let fits = "x".repeat(BODY_LIMIT - 2);
    ample.say(fits.clone()).await.expect("fits");
    let large = ample.say(format!("{fits}x")).await.expect_err("too large");
    assert!(large.is(codes::TOO_LARGE), "{large}");
    assert_eq!(other.calls(), 1);
    // The answer has one as well, on the side that reads it.
    let strict = EchoClient::remote(calls(&[other.address], key("a"), &Sources::system(), 100));
    strict.say("x".repeat(98)).await.expect("fits");
    let large = strict.say("x".repeat(99)).await.expect_err("too large");
    assert!(large.is(codes::UNAVAILABLE), "{large}");
}

#[tokio::test]
async fn what_is_not_in_the_contract_is_told_apart() {
    kernel::service_contract! {
        /// A younger version of the contract.
        pub trait YoungApi, client YoungClient, server YoungServer, service "echo" {
            /// Not known there.
            sing(()) -> ();
            /// Known there, with another argument.
            say(u32) -> u32;
        }
    }
    let other = Other::start();
    let calls = calls(&[other.address], key("a"), &Sources::system(), BODY_LIMIT);
    let client = YoungClient::remote(calls);
    let unknown = client.sing(()).await.expect_err("unknown");
    assert!(unknown.is(codes::NO_ROUTE), "{unknown}");
    let misfit = client.say(7).await.expect_err("does not fit");
    assert!(misfit.is(codes::MALFORMED), "{misfit}");
}

#[tokio::test]
async fn what_an_instance_cannot_have_seen_goes_to_another_one() {
    let other = Other::start();
    let listener = platform::http::serve::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let closed = listener.local_addr().expect("bound");
    drop(listener);
    let addresses = [closed, other.address];
    let peer = peer(&addresses, key("a"), &Sources::system(), BODY_LIMIT);
    for _ in 0..4 {
        let request = http::Request::post("/internal/echo/say")
            .header("content-type", "application/json")
            .body(axum::body::Body::from("\"hello\""));
        let answer = peer.forward(request.expect("a request")).await;
        let answer = answer.expect("the other one has answered");
        let body = axum::body::to_bytes(answer.into_body(), BODY_LIMIT).await;
        assert_eq!(
            body.expect("a body"),
            "\"hello\"",
            "nothing of the body is lost"
        );
    }
    assert_eq!(other.calls(), 4);
}
