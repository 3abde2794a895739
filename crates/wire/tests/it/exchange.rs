//! Exchanges with servers of all kinds, good and bad.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use wire::client::{Added, Asking, Connect, ExchangeError, Fields, Pool, Settings};
use wire::front::Front;
use wire::{Body, Stream, Upgrade, Upgraded};

use crate::stage::{Stage, Unsized};

#[derive(Debug)]
struct To(SocketAddr, Arc<AtomicUsize>);

impl Connect for To {
    fn connect(&self) -> Pin<Box<dyn Future<Output = io::Result<Stream>> + Send + '_>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Stream::tcp(TcpStream::connect(self.0).await?)) })
    }
}

pub(crate) fn pool(address: SocketAddr, settings: Settings) -> (Pool, Arc<AtomicUsize>) {
    // As in a worker.
    tokio::spawn(wire::post::deliver());
    let connected = Arc::new(AtomicUsize::new(0));
    (
        Pool::new(Arc::new(To(address, connected.clone())), settings),
        connected,
    )
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header("host", "x")
        .body(Body::empty())
        .expect("valid")
}

/// An exchange with a timeout of its own.
pub(crate) async fn within(
    limit: Duration,
    pool: &Pool,
    request: Request<Body>,
    again: bool,
) -> Result<Response<Body>, ExchangeError> {
    let (parts, body) = request.into_parts();
    let begun = tokio::time::Instant::now();
    let asking = Asking {
        parts: &parts,
        added: &(),
        begun,
        ends: begun + limit,
        again,
    };
    pool.send(asking, body).await
}

pub(crate) async fn text(response: Response<Body>) -> String {
    let body = response
        .into_body()
        .collect()
        .await
        .expect("a whole body")
        .to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

/// A server that reads a request head on each connection and says what it is told.
async fn scripted(answers: Vec<Vec<&'static str>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        for answers in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(async move {
                for answer in answers {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    stream.write_all(answer.as_bytes()).await.expect("writes");
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn connections_are_used_again() {
    let stage = Stage::open().await;
    let (pool, connected) = pool(stage.address, Settings::default());
    for path in ["/a", "/stream", "/empty", "/b?c=d", "/long"] {
        let response = pool.exchange(get(path), true).await.expect("an answer");
        let body = text(response).await;
        match path {
            "/stream" => assert_eq!(body, "streamed"),
            "/empty" => assert_eq!(body, ""),
            "/long" => assert_eq!(body.len(), 1 << 20),
            path => assert_eq!(body, format!("GET {path} of x: ")),
        }
        assert_eq!(pool.idle(), 1, "after {path}");
    }
    assert_eq!(connected.load(Ordering::SeqCst), 1);
    // A body that nobody reads to its end takes its connection with it.
    drop(pool.exchange(get("/long"), true).await.expect("an answer"));
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn a_line_too_many_before_an_answer_is_passed_over() {
    let server = scripted(vec![vec![
        "\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ]])
    .await;
    let (pool, _) = pool(server, Settings::default());
    let response = pool.exchange(get("/"), false).await.expect("an answer");
    assert_eq!(text(response).await, "ok");
}

#[tokio::test]
async fn bodies_are_passed_on_as_they_come() {
    let stage = Stage::open().await;
    let (pool, _) = pool(stage.address, Settings::default());
    for body in [Body::full("hello"), Body::new(Unsized::of("hello"))] {
        let request = Request::post("/p")
            .header("host", "x")
            .body(body)
            .expect("valid");
        let response = pool.exchange(request, false).await.expect("an answer");
        assert_eq!(text(response).await, "POST /p of x: hello");
    }
    let large = Bytes::from(vec![b'y'; 3 << 20]);
    let request = Request::put("/p")
        .header("host", "x")
        .body(Body::full(large))
        .expect("valid");
    let answer = text(pool.exchange(request, false).await.expect("an answer")).await;
    assert_eq!(answer.len(), "PUT /p of x: ".len() + (3 << 20));
    let request = Request::head("/long")
        .header("host", "x")
        .body(Body::empty())
        .expect("valid");
    let response = pool.exchange(request, true).await.expect("an answer");
    assert_eq!(response.headers()["content-length"], "1048576");
    assert_eq!(text(response).await, "");
    assert_eq!(pool.idle(), 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_no_failure() {
    let address = scripted(vec![
        vec!["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1"],
        vec!["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2"],
    ])
    .await;
    let (pool, connected) = pool(address, Settings::default());
    assert_eq!(
        text(pool.exchange(get("/"), true).await.expect("an answer")).await,
        "1"
    );
    assert_eq!(
        text(pool.exchange(get("/"), true).await.expect("an answer")).await,
        "2"
    );
    assert_eq!(connected.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (pool, connected) = pool(
        listener.local_addr().expect("bound"),
        Settings {
            timeout: Duration::from_secs(20),
            ..Settings::default()
        },
    );
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).await.expect("writes");
        stream
    };
    // One answer, and then no more: neither on the same connection nor on another one.
    let (_silent, first) = tokio::join!(server, pool.exchange(get("/"), true));
    assert_eq!(text(first.expect("an answer")).await, "ok");
    for (limit, connections) in [(5, 1), (5, 2), (20, 3)] {
        let began = tokio::time::Instant::now();
        let result = if limit == 20 {
            pool.exchange(get("/"), true).await
        } else {
            let limit = Duration::from_secs(limit);
            within(limit, &pool, get("/"), true).await
        };
        assert!(matches!(result, Err(ExchangeError::Slow)), "{result:?}");
        assert_eq!(began.elapsed().as_secs(), limit);
        assert_eq!(connected.load(Ordering::SeqCst), connections);
    }
}

/// Opens a connection after four seconds; nobody answers on it.
#[derive(Debug, Default)]
struct Lately(Mutex<Vec<DuplexStream>>);

impl Connect for Lately {
    fn connect(&self) -> Pin<Box<dyn Future<Output = io::Result<Stream>> + Send + '_>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            let (ours, theirs) = tokio::io::duplex(1 << 10);
            self.0.lock().push(theirs);
            Ok(Stream::other(ours))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_opening_a_connection_takes_counts() {
    let pool = Pool::new(Arc::new(Lately::default()), Settings::default());
    let began = tokio::time::Instant::now();
    let result = within(Duration::from_secs(5), &pool, get("/"), true).await;
    assert!(matches!(result, Err(ExchangeError::Slow)), "{result:?}");
    assert_eq!(began.elapsed().as_secs(), 5);
}

/// A body of parts that come ten seconds after each other.
struct Slowly(u8, Pin<Box<tokio::time::Sleep>>);

impl http_body::Body for Slowly {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        std::task::ready!(self.1.as_mut().poll(cx));
        self.0 -= 1;
        let next = tokio::time::Instant::now() + Duration::from_secs(10);
        self.1.as_mut().reset(next);
        let frame = http_body::Frame::data(Bytes::from_static(b"."));
        Poll::Ready(Some(Ok(frame)))
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_a_long_body_slowly_is_waited_for() {
    let stage = Stage::open().await;
    let (pool, _) = pool(stage.address, Settings::default());
    let sleep = Box::pin(tokio::time::sleep(Duration::from_secs(10)));
    let request = Request::post("/")
        .header("host", "x")
        .body(Body::new(Slowly(5, sleep)))
        .expect("valid");
    let limit = Duration::from_secs(15);
    let response = within(limit, &pool, request, false).await;
    let response = response.expect("an answer after fifty seconds");
    assert_eq!(text(response).await, "POST / of x: .....");
}

#[tokio::test]
async fn interim_responses_are_not_the_response() {
    let address = scripted(vec![vec!["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]]).await;
    let (pool, _) = pool(address, Settings::default());
    let response = pool.exchange(get("/"), true).await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(text(response).await, "ok");
}

#[tokio::test]
async fn responses_that_can_be_read_in_two_ways_are_refused() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\nx: y\ncontent-length: 2\n\nok",
        "HTTP/1.1 99 OK\r\ncontent-length: 2\r\n\r\nok",
        "200 OK\r\n\r\n",
    ] {
        let answers = vec![vec![answer]];
        let (pool, _) = pool(scripted(answers).await, Settings::default());
        let result = pool.exchange(get("/"), true).await;
        assert!(
            matches!(result, Err(ExchangeError::Malformed(_))),
            "{answer:?}: {result:?}"
        );
    }
}

#[tokio::test]
async fn what_comes_behind_a_response_is_not_the_next_one() {
    let address = scripted(vec![
        vec!["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"],
        vec!["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood"],
    ])
    .await;
    let (pool, _) = pool(address, Settings::default());
    assert_eq!(
        text(pool.exchange(get("/"), true).await.expect("an answer")).await,
        "ok"
    );
    assert_eq!(pool.idle(), 0);
    assert_eq!(
        text(pool.exchange(get("/"), true).await.expect("an answer")).await,
        "good"
    );
}

#[tokio::test]
async fn a_response_that_breaks_off_is_not_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let answers = vec![vec![answer]];
        let (pool, _) = pool(scripted(answers).await, Settings::default());
        let response = pool.exchange(get("/"), true).await.expect("a head");
        assert!(response.into_body().collect().await.is_err(), "{answer}");
        assert_eq!(pool.idle(), 0);
    }
}

#[tokio::test]
async fn a_response_may_end_with_its_connection() {
    let address = scripted(vec![vec!["HTTP/1.1 200 OK\r\n\r\nuntil the end"]]).await;
    let (pool, _) = pool(address, Settings::default());
    let response = pool.exchange(get("/"), true).await.expect("an answer");
    assert_eq!(text(response).await, "until the end");
    assert_eq!(pool.idle(), 0);
}

#[tokio::test]
async fn a_connection_can_change_its_protocol() {
    let address = scripted(vec![vec![
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ]])
    .await;
    let (pool, _) = pool(address, Settings::default());
    let mut request = get("/chat");
    request
        .extensions_mut()
        .insert(Upgrade("websocket".parse().expect("a value")));
    request
        .headers_mut()
        .insert("upgrade", "websocket".parse().expect("a value"));
    let response = pool.exchange(request, false).await.expect("an answer");
    assert_eq!(response.status(), 101);
    assert!(response.extensions().get::<Upgraded>().is_some());
    let unasked = scripted(vec![vec![
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    ]])
    .await;
    let (pool, _) = self::pool(unasked, Settings::default());
    let response = pool.exchange(get("/"), true).await.expect("an answer");
    assert_eq!(response.status(), 502, "nobody has asked for that");
}

/// What a proxy says of a request.
struct Forwarded;

impl Added for Forwarded {
    fn write(&self, fields: &mut Fields<'_>) {
        let name = HeaderName::from_static("x-forwarded-for");
        fields.add(&name, |text| text.extend_from_slice(b"192.0.2.1"));
    }

    fn replaces(&self, name: &HeaderName) -> bool {
        name.as_str() == "x-forwarded-for"
    }
}

#[tokio::test]
async fn what_is_added_arrives_whatever_is_spoken() {
    let told = tower::service_fn(async |request: Request<Body>| {
        let named = request.headers().get_all("x-forwarded-for");
        let named: Vec<_> = named.iter().map(|value| value.as_bytes()).collect();
        Ok::<_, Infallible>(Response::new(Body::full(named.join(&b", "[..]))))
    });
    let settings = wire::server::Settings::default();
    let stage = Stage::serving(told, Front::default(), settings).await;
    for http2 in [false, true] {
        let settings = Settings {
            http2,
            ..Settings::default()
        };
        let limit = settings.timeout;
        let (pool, _) = pool(stage.address, settings);
        let (parts, body) = Request::get("http://x/")
            .header("host", "x")
            .header("x-forwarded-for", "198.51.100.1")
            .body(Body::empty())
            .expect("valid")
            .into_parts();
        let begun = tokio::time::Instant::now();
        let asking = Asking {
            parts: &parts,
            added: &Forwarded,
            begun,
            ends: begun + limit,
            again: false,
        };
        let response = pool.send(asking, body).await.expect("an answer");
        assert_eq!(text(response).await, "192.0.2.1", "HTTP/2: {http2}");
    }
}

#[tokio::test]
async fn http2_to_the_server() {
    let stage = Stage::with(wire::server::Settings::default()).await;
    let (pool, connected) = pool(
        stage.address,
        Settings {
            http2: true,
            ..Settings::default()
        },
    );
    for _ in 0..3 {
        let request = Request::builder()
            .method(Method::POST)
            .uri("http://x/p")
            .body(Body::full("hello"));
        let response = pool
            .exchange(request.expect("valid"), false)
            .await
            .expect("an answer");
        assert_eq!(text(response).await, "POST http://x/p of -: hello");
    }
    assert_eq!(connected.load(Ordering::SeqCst), 1);
}
