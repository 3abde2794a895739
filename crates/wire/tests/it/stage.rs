//! A server that tells what it has understood, and a client that says exactly what it is told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::util::MapRequest;
use wire::Body;
use wire::front::{Front, Passed};
use wire::post;
use wire::server::{self, Answers, Connection, Settings};
use wire::tls::{ClientCertificate, Presented};

pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) drain: CancellationToken,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        Self::with(Settings {
            head_limit: 2048,
            ..Settings::default()
        })
        .await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::behind(Front::default(), settings).await
    }

    pub(crate) async fn behind(front: Front, settings: Settings) -> Self {
        Self::serving(tower::service_fn(answer), front, settings).await
    }

    pub(crate) async fn serving(
        answers: impl Answers + Sync + 'static,
        front: Front,
        settings: Settings,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (drain, settings) = (CancellationToken::new(), Arc::new(settings));
        let draining = drain.clone();
        // As in a worker.
        tokio::spawn(post::deliver());
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let (answers, front) = (answers.clone(), front.clone());
                let (settings, drain) = (settings.clone(), draining.clone());
                tokio::spawn(async move {
                    let Ok(Passed {
                        stream,
                        protocol,
                        connection,
                        certificate,
                    }) = front.pass(stream, peer).await
                    else {
                        return;
                    };
                    let known = move |mut request: Request<Body>| {
                        request.extensions_mut().insert(connection);
                        request
                    };
                    let answers = Presented::new(MapRequest::new(answers, known), certificate);
                    server::serve(stream, protocol, answers, settings, drain).await;
                });
            }
        });
        Self { address, drain }
    }

    pub(crate) async fn client(&self) -> Client {
        Client(TcpStream::connect(self.address).await.expect("connects"))
    }

    /// What the server answers to these bytes, until it closes.
    pub(crate) async fn says(&self, bytes: &[u8]) -> String {
        let mut client = self.client().await;
        client.say(bytes).await;
        client.0.shutdown().await.expect("shuts down");
        client.rest().await
    }
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("writes");
    }

    pub(crate) async fn rest(&mut self) -> String {
        self.rest_within(Duration::from_secs(10)).await
    }

    pub(crate) async fn rest_within(&mut self, patience: Duration) -> String {
        let mut all = Vec::new();
        let reading = self.0.read_to_end(&mut all);
        let _ = tokio::time::timeout(patience, reading)
            .await
            .expect("it closes");
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Reads until the text ends with `end`.
    pub(crate) async fn hears(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        let reading = async {
            while !all.ends_with(end.as_bytes()) {
                all.push(self.0.read_u8().await.expect("more comes"));
            }
        };
        let heard = tokio::time::timeout(Duration::from_secs(10), reading).await;
        let all = String::from_utf8_lossy(&all).into_owned();
        heard.unwrap_or_else(|_| panic!("waited for {end:?}, heard {all:?}"));
        all
    }
}

/// Tells the method, the target, the host and the body; other things under some paths.
async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    Ok(match path.as_str() {
        "/who" => Response::new(Body::full(who(&request))),
        "/ignore" => Response::new(Body::full("ignored")),
        "/empty" => {
            let mut response = status(StatusCode::NO_CONTENT, Body::empty());
            response.headers_mut().insert("content-length", 2.into());
            response
        }
        "/long" => Response::new(Body::full(vec![b'x'; 1 << 20])),
        "/stream" => Response::new(Body::new(Unsized::of("streamed"))),
        "/lie" => {
            let mut response = Response::new(Body::new(Unsized::of("short")));
            response.headers_mut().insert("content-length", 100.into());
            response
        }
        _ => echo(request).await,
    })
}

/// Tells what is known of the client.
fn who(request: &Request<Body>) -> String {
    let extensions = request.extensions();
    let connection = extensions.get::<Connection>().expect("known");
    let mut text = format!("{} {}", connection.peer, connection.encrypted);
    if let Some(certificate) = extensions.get::<ClientCertificate>() {
        let names: Vec<String> = certificate
            .names()
            .iter()
            .map(ToString::to_string)
            .collect();
        let print: String = certificate
            .fingerprint()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        text.push_str(&format!(
            " {} [{}] {print}",
            certificate.subject(),
            names.join(" ")
        ));
    }
    text
}

fn status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

async fn echo(request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let host = parts
        .headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .unwrap_or("-")
        .to_owned();
    match body.collect().await {
        Ok(body) => {
            let trailer = body
                .trailers()
                .and_then(|trailers| trailers.get("sum"))
                .cloned();
            let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            let mut text = format!("{} {} of {host}: {body}", parts.method, parts.uri);
            if let Some(sum) = trailer {
                text.push_str(&format!(" ({})", sum.to_str().unwrap_or("?")));
            }
            Response::new(Body::full(text))
        }
        Err(error) => status(StatusCode::BAD_REQUEST, Body::full(error.to_string())),
    }
}

/// A body whose length nobody knows before it is over.
pub(crate) struct Unsized(Option<Bytes>);

impl Unsized {
    pub(crate) fn of(text: &'static str) -> Self {
        Self(Some(Bytes::from_static(text.as_bytes())))
    }
}

impl http_body::Body for Unsized {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A body that is fed while it is sent.
pub(crate) struct Fed(pub(crate) mpsc::UnboundedReceiver<Frame<Bytes>>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}
