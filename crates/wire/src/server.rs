//! Serving connections.

mod http1;
mod http2;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::body::Body;
use crate::http1::Malformed;
use crate::link::Link;
use crate::stream::Stream;

/// What answers requests. Errors are answers, too.
pub trait Answers:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send
{
}

impl<S> Answers for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
{
}

/// Limits of a connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes of the head of a request.
    pub head_limit: usize,
    /// How long a client may take to begin, and to send each head from its first byte.
    pub head_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// How long a client may take to make room for more of an answer.
    pub write_timeout: Duration,
    /// How long a connection may be silent that has changed its protocol.
    pub tunnel_timeout: Duration,
    /// Streams of an HTTP/2 connection at once.
    pub streams: u32,
    /// How often an HTTP/2 connection is asked whether it lives.
    pub ping_interval: Duration,
    /// How long it may take to say so.
    pub ping_timeout: Duration,
    /// Writes the answer to what cannot be read.
    pub refuse: Refuse,
}

/// What answers a head that cannot be read. Cheap to clone.
#[derive(Clone)]
pub struct Refuse(Arc<dyn Fn(Malformed) -> Response<Body> + Send + Sync>);

impl Refuse {
    /// Answers by `answer`, which is called once for each such head: the connection ends with it.
    pub fn new(answer: impl Fn(Malformed) -> Response<Body> + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }
}

impl Deref for Refuse {
    type Target = dyn Fn(Malformed) -> Response<Body> + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Refuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refuse")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            head_limit: 32 << 10,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            tunnel_timeout: Duration::from_secs(3600),
            streams: 250,
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(20),
            refuse: Refuse::new(|malformed| {
                let mut response = Response::new(Body::full(malformed.to_string()));
                *response.status_mut() = status(malformed);
                response
            }),
        }
    }
}

/// The status that tells of `malformed`.
pub fn status(malformed: Malformed) -> StatusCode {
    match malformed {
        Malformed::Syntax(_) => StatusCode::BAD_REQUEST,
        Malformed::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Malformed::Coding => StatusCode::NOT_IMPLEMENTED,
        Malformed::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        Malformed::Slow => StatusCode::REQUEST_TIMEOUT,
    }
}

/// What is known of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// Where the client is, as far as this side can see.
    pub peer: SocketAddr,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
}

/// How a client begins that speaks HTTP/2 without having agreed on it (RFC 9113, section 3.3).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Whatever its first bytes say.
    Unknown,
    /// HTTP/1.1, agreed upon.
    Http1,
    /// HTTP/2, agreed upon.
    Http2,
}

/// Answers the requests of a connection until either side ends it. Once `drain` is cancelled, the
/// running requests are the last ones.
pub async fn serve(
    stream: Stream,
    protocol: Protocol,
    answers: impl Answers + 'static,
    settings: Arc<Settings>,
    drain: CancellationToken,
) {
    // One of its own: that of all would be a lock which threads take from each other.
    let drain = drain.child_token();
    let mut link = Link::new(stream);
    let begun = begins_http2(&mut link, protocol);
    let patience = tokio::time::timeout(settings.head_timeout, begun);
    let http2 = tokio::select! {
        begun = patience => match begun {
            Ok(Some(http2)) => http2,
            // Silent, or gone, or not what was agreed upon.
            Ok(None) | Err(_) => return,
        },
        () = drain.cancelled() => return,
    };
    if http2 {
        let Link { stream, buffer, .. } = link;
        let stream = stream.after(buffer);
        // The larger of the two would set the size of both.
        Box::pin(http2::serve(stream, answers, &settings, drain)).await;
    } else {
        http1::serve(link, answers, &settings, drain).await;
    }
}

/// Waits until the client begins, and tells whether with the preface of HTTP/2; `None` if it closes
/// before that is clear, or begins otherwise than it has agreed.
async fn begins_http2(link: &mut Link, agreed: Protocol) -> Option<bool> {
    loop {
        let read = std::future::poll_fn(|cx| link.poll_fill(cx)).await;
        if !read.is_ok_and(|read| read > 0) {
            return None;
        }
        if agreed == Protocol::Http1 {
            return Some(false);
        }
        let common = PREFACE.len().min(link.buffer.len());
        if link.buffer[..common] != PREFACE[..common] {
            return (agreed == Protocol::Unknown).then_some(false);
        }
        if common == PREFACE.len() {
            return Some(true);
        }
    }
}
