//! What gRPC needs of a proxy: trailers, answers that are nothing but trailers, and streams in both
//! directions at once, from HTTP/2 to HTTP/2 in the clear.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use wire::client::{self, Connect, Pool};
use wire::front::Front;
use wire::server::Settings;
use wire::{Body, BoxError, Stream};

use crate::stage::{Fed, Stage};

/// Gives back what comes, when it comes, and a status at the end.
struct Echo(Option<Body>);

impl http_body::Body for Echo {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        Poll::Ready(frame.or_else(|| {
            self.0 = None;
            Some(Ok(Frame::trailers(status("0"))))
        }))
    }
}

fn status(code: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(
        "grpc-status".parse().expect("a name"),
        HeaderValue::from_static(code),
    )])
}

/// A server of gRPC, as far as HTTP can tell.
async fn serve(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let told = request.headers().get("te") == Some(&HeaderValue::from_static("trailers"));
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    if !told {
        // As servers of gRPC do, to find proxies that do not pass trailers on.
        *response.status_mut() = StatusCode::BAD_REQUEST;
    } else if request.uri().path() == "/svc/Denied" {
        headers.extend(status("7"));
    } else {
        *response.body_mut() = Body::new(Echo(Some(request.into_body())));
    }
    Ok(response)
}

#[derive(Debug)]
pub(crate) struct Dial(pub(crate) SocketAddr);

impl Connect for Dial {
    fn connect(&self) -> Pin<Box<dyn Future<Output = std::io::Result<Stream>> + Send + '_>> {
        Box::pin(async { Ok(Stream::tcp(TcpStream::connect(self.0).await?)) })
    }
}

/// A proxy in front of the server, and a client of the proxy.
async fn call() -> SendRequest<Fed> {
    let settings = Settings::default;
    let upstream = Stage::serving(tower::service_fn(serve), Front::default(), settings()).await;
    let http2 = client::Settings {
        http2: true,
        ..client::Settings::default()
    };
    let pool = Pool::new(Arc::new(Dial(upstream.address)), http2);
    let pass = tower::service_fn(move |request| {
        let pool = pool.clone();
        async move {
            let passed = pool.exchange(request, false).await;
            Ok::<_, Infallible>(passed.unwrap_or_else(|error| {
                let mut response = Response::new(Body::full(error.to_string()));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }))
        }
    });
    let proxy = Stage::serving(pass, Front::default(), settings()).await;
    let stream = TcpStream::connect(proxy.address).await.expect("connects");
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.expect("speaks HTTP/2");
    tokio::spawn(connection);
    sender
}

fn request(method: &str) -> (mpsc::UnboundedSender<Frame<Bytes>>, Request<Fed>) {
    let (feed, fed) = mpsc::unbounded_channel();
    let request = Request::post(format!("http://upstream.example/svc/{method}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(Fed(fed));
    (feed, request.expect("valid"))
}

#[tokio::test]
async fn the_status_comes_behind_the_messages() {
    let mut sender = call().await;
    let (feed, request) = request("Echo");
    feed.send(Frame::data(Bytes::from_static(b"\0\0\0\0\x02hi")))
        .expect("is read");
    drop(feed);
    let response = sender.send_request(request).await.expect("answers");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let body = response.into_body().collect().await.expect("whole");
    assert_eq!(body.trailers().expect("trailers")["grpc-status"], "0");
    assert_eq!(body.to_bytes(), &b"\0\0\0\0\x02hi"[..]);
}

#[tokio::test]
async fn an_answer_may_be_nothing_but_trailers() {
    let mut sender = call().await;
    let (feed, request) = request("Denied");
    drop(feed);
    let response = sender.send_request(request).await.expect("answers");
    assert_eq!(response.headers()["grpc-status"], "7");
    assert!(response.body().is_end_stream(), "the head ends the stream");
}

#[tokio::test]
async fn both_directions_flow_at_once() {
    let mut sender = call().await;
    let (feed, request) = request("Echo");
    let mut response = sender
        .send_request(request)
        .await
        .expect("answers before the request ends");
    for message in ["one", "two", "three"] {
        feed.send(Frame::data(Bytes::from(message)))
            .expect("is read");
        let frame = tokio::time::timeout(Duration::from_secs(10), response.frame()).await;
        let frame = frame
            .expect("is not held back")
            .expect("more")
            .expect("whole");
        assert_eq!(frame.into_data().expect("data"), message);
    }
    drop(feed);
    let last = response.frame().await.expect("more").expect("whole");
    assert_eq!(last.into_trailers().expect("trailers")["grpc-status"], "0");
    assert!(response.frame().await.is_none());
}

#[tokio::test]
async fn trailers_of_a_request_are_passed_on() {
    let mut sender = call().await;
    let (feed, request) = request("Echo");
    feed.send(Frame::data(Bytes::from_static(b"hi")))
        .expect("is read");
    let said = ["checksum", "authorization", "set-cookie"].map(|name| {
        let name = name.parse().expect("a name");
        (name, HeaderValue::from_static("1"))
    });
    feed.send(Frame::trailers(HeaderMap::from_iter(said)))
        .expect("is read");
    drop(feed);
    let response = sender.send_request(request).await.expect("answers");
    let body = response.into_body().collect().await.expect("whole");
    let trailers = body.trailers().expect("trailers");
    assert_eq!(trailers["checksum"], "1");
    // What has to be known before a body is not said behind it.
    assert_eq!(trailers.len(), 1, "{trailers:?}");
}
