//! Exchanges with upstream servers. An exchange is polled by whoever waits for it: there is no
//! task for a connection, and no channel to it.

mod added;
mod exchange;
mod http2;
mod line;
mod watched;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::uri::Scheme;
use http::{Request, Response};
use parking_lot::Mutex;
use tokio::time::Instant;

pub use self::added::{Added, Fields};
pub(crate) use self::line::Line;
pub use self::line::Pipelined;
use self::line::{Company, Sharing};
use crate::body::{Body, BoxError};
use crate::http1::Malformed;
use crate::link::{Link, SharedLink};
use crate::stream::Stream;

/// Why an exchange came to no response.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No connection.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// The connection broke, or was closed before a response.
    #[error("the connection broke")]
    Io(#[source] io::Error),
    /// The response cannot be read.
    #[error("the response is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// What is to be sent broke off, or cannot be.
    #[error("the request cannot be sent")]
    Request(#[source] BoxError),
    /// Not all that is to be sent came in time.
    #[error("the request did not come in time")]
    Unsent,
    /// The response did not begin in time.
    #[error("the response did not begin in time")]
    Slow,
    /// HTTP/2 failed.
    #[error("HTTP/2 failed")]
    Http2(#[source] hyper::Error),
}

impl ExchangeError {
    /// Whether the server cannot have seen the request: it may be sent again, whatever it asks.
    pub fn is_unseen(&self) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Http2(error) => error.is_canceled(),
            _ => false,
        }
    }
}

/// How to get a connection.
pub trait Connect: std::fmt::Debug + Send + Sync + 'static {
    /// Opens one.
    fn connect(&self) -> std::pin::Pin<Box<dyn Future<Output = io::Result<Stream>> + Send + '_>>;
}

/// Limits of exchanges.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes of the head of a response.
    pub head_limit: usize,
    /// Connections that are kept while nobody uses them.
    pub idle: usize,
    /// For how long: less than the server keeps them.
    pub idle_timeout: Duration,
    /// How long the server may take to accept a connection, to take more of a request, and to
    /// begin its response.
    pub timeout: Duration,
    /// How long the server may be silent within its response.
    pub silence: Duration,
    /// Requests that may share a connection when they are sent at once; 1 if each has its own. Those of
    /// HTTP/2 always share one.
    pub pipeline: usize,
    /// How long a request waits for the answers to those before it on its connection.
    pub patience: Duration,
    /// Whether the server speaks HTTP/2.
    pub http2: bool,
    /// What requests say in HTTP/2 that they were asked for with.
    pub scheme: Scheme,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            head_limit: 64 << 10,
            idle: 256,
            idle_timeout: Duration::from_secs(50),
            timeout: Duration::from_secs(60),
            silence: Duration::from_secs(300),
            pipeline: 1,
            patience: Duration::from_millis(10),
            http2: false,
            scheme: Scheme::HTTP,
        }
    }
}

/// A request, but for its body, and how it may be sent.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Its head.
    pub parts: &'a Parts,
    /// What is sent besides.
    pub added: &'a dyn Added,
    /// The present time.
    pub begun: Instant,
    /// When the server must have begun its response.
    pub ends: Instant,
    /// Whether it may be sent again: if the connection turns out to be closed, or those before it on their
    /// connection take too long.
    pub again: bool,
}

impl Asking<'_> {
    /// How long the server may take.
    fn limit(&self) -> Duration {
        self.ends.saturating_duration_since(self.begun)
    }
}

impl std::fmt::Debug for Asking<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asking({} {})", self.parts.method, self.parts.uri)
    }
}

/// The connections of one thread to one server. Exchanges begin on that thread; others may wait for them. Cheap
/// to clone.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connect: Arc<dyn Connect>,
    settings: Settings,
    /// The one that was used last is used next: the others can grow old and be closed.
    idle: Mutex<Vec<(SharedLink, Instant)>>,
    sharing: Sharing,
    http2: http2::Sender,
}

impl Pool {
    /// A pool without connections.
    pub fn new(connect: Arc<dyn Connect>, settings: Settings) -> Self {
        let sharing = Sharing::new(settings.patience);
        Self(Arc::new(Shared {
            connect,
            settings,
            idle: Mutex::default(),
            sharing,
            http2: http2::Sender::default(),
        }))
    }

    /// Sends a request and returns the head of its response; the body is read when it is asked
    /// for. Fields that concern one connection only are neither passed on nor back.
    ///
    /// A connection that was kept may have been closed meanwhile, or belong to requests before it that
    /// take too long. Then the request is sent again on another one, if `again` allows and its body is
    /// still here.
    pub async fn exchange(
        &self,
        request: Request<Body>,
        again: bool,
    ) -> Result<Response<Body>, ExchangeError> {
        let (parts, body) = request.into_parts();
        let begun = Instant::now();
        let asking = Asking {
            parts: &parts,
            added: &(),
            begun,
            ends: begun + self.0.settings.timeout,
            again,
        };
        self.send(asking, body).await
    }

    /// The same for whoever may need the head once more. The end costs less than a timer around the
    /// exchange, and does not end what is on its way.
    pub async fn send(
        &self,
        asking: Asking<'_>,
        mut body: Body,
    ) -> Result<Response<Body>, ExchangeError> {
        if self.0.settings.http2 {
            let progress = watched::Progress::default();
            let mut request = Request::from_parts(asking.parts.clone(), progress.watch(body));
            added::insert(asking.added, request.headers_mut())?;
            let exchange = self.0.http2.exchange(&self.0, request);
            let result = Box::pin(progress.within(asking, exchange)).await;
            return result.map_err(|error| progress.blame(error));
        }
        let company = self.company(&asking, &body);
        let first = matches!(company, Company::First);
        if let Company::Behind(place) = company {
            match exchange::behind(self, place, asking).await {
                Err(ExchangeError::Io(_)) => self.0.sharing.leaves_one(),
                result => return result,
            }
        }
        if let Some(link) = self.take_idle(asking.begun, asking.ends) {
            let copy = if asking.again { body.try_clone() } else { None };
            let exchange = exchange::exchange(self, link, asking, body, first);
            match (exchange.await, copy) {
                (Err(ExchangeError::Io(_)), Some(copy)) => body = copy,
                (result, _) => return result,
            }
        }
        // What is rare has no room in each exchange: who makes many at once holds all of them.
        Box::pin(self.fresh(asking, body)).await
    }

    async fn fresh(&self, asking: Asking<'_>, body: Body) -> Result<Response<Body>, ExchangeError> {
        let connecting = tokio::time::timeout_at(asking.ends, self.0.connect.connect());
        let connected = connecting.await.map_err(|_| ExchangeError::Slow)?;
        let mut link = Link::new(connected.map_err(ExchangeError::Connect)?);
        link.patience.until(asking.ends);
        let link = Arc::new(Mutex::new(link));
        exchange::exchange(self, link, asking, body, false).await
    }

    /// A kept connection that looks alive, for an exchange until `ends`.
    fn take_idle(&self, now: Instant, ends: Instant) -> Option<SharedLink> {
        let mut idle = self.0.idle.lock();
        while let Some((link, since)) = idle.pop() {
            if now.saturating_duration_since(since) >= self.0.settings.idle_timeout {
                continue;
            }
            let mut held = link.lock();
            // Whatever comes without having been asked for, an end too, ends the connection.
            if held.is_quiet() {
                held.patience.until(ends);
                drop(held);
                return Some(link);
            }
        }
        None
    }

    /// Keeps a connection for another exchange; it was used at `last`, or after that.
    fn keep(&self, link: SharedLink, last: Instant) {
        let mut idle = self.0.idle.lock();
        if idle.len() < self.0.settings.idle {
            idle.push((link, last));
        }
    }

    /// How many connections wait to be used.
    pub fn idle(&self) -> usize {
        self.0.idle.lock().len()
    }

    /// How many requests have shared a connection.
    pub fn pipelined(&self) -> Pipelined {
        self.0.sharing.told()
    }

    /// Closes the connections that nobody has used for long.
    pub fn sweep(&self) {
        let timeout = self.0.settings.idle_timeout;
        self.0
            .idle
            .lock()
            .retain(|(_, since)| since.elapsed() < timeout);
    }

    /// Closes all connections that nobody uses.
    pub fn clear(&self) {
        self.0.idle.lock().clear();
    }
}
