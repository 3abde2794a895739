//! Listeners: accepting, limits of connections, and draining. The connections themselves are
//! [`wire`]'s.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::future::RouteFuture;
use futures_util::TryFutureExt;
use futures_util::future::MapOk;
use http::{Request, Response};
use kernel::problem::codes;
use kernel::{Kind, Problem};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::Service;
use wire::http1::Malformed;
use wire::server::{Connection, Protocol, Settings};
use wire::{Body, Stream};

use super::{HttpSettings, write};
use crate::tasks::Shutdown;

const BACKOFF: Duration = Duration::from_millis(50);

/// Binds `address`; the error names what is wrong with it.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Answers connections of `listener` with `router` until `shutdown` begins, then lets running
/// requests finish. Connections above the limit wait in the kernel's queue.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: Arc<HttpSettings>,
    shutdown: Shutdown,
) {
    let connections = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(settings.connections));
    let settings = Arc::new(connection_settings(&settings));
    loop {
        let accepted = tokio::select! {
            () = shutdown.requested() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let (stream, peer, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, for instance: running requests will free some.
                tracing::warn!(%error, "a connection could not be accepted");
                shutdown.sleep(BACKOFF).await;
                continue;
            }
        };
        let connection = Connection {
            peer,
            encrypted: false,
        };
        let answers = Answers(router.clone());
        let (settings, drain) = (settings.clone(), shutdown.token());
        connections.spawn(async move {
            let stream = Stream::tcp(stream);
            wire::server::serve(
                stream,
                Protocol::Unknown,
                connection,
                answers,
                settings,
                drain,
            )
            .await;
            drop(slot);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots
        .clone()
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, slot))
}

fn connection_settings(settings: &HttpSettings) -> Settings {
    Settings {
        // What is larger than the limit, but not this large, is refused with all that a problem
        // tells.
        head_limit: settings.header_limit.saturating_mul(2).max(8192),
        head_timeout: settings.header_timeout,
        refuse,
        ..Settings::default()
    }
}

/// The answer to what is no request.
fn refuse(malformed: Malformed) -> Response<Body> {
    let (kind, code) = match malformed {
        Malformed::TooLarge => (Kind::HeadersTooLarge, codes::HEADERS_TOO_LARGE),
        _ => (Kind::Malformed, codes::MALFORMED),
    };
    let mut response = write(&Problem::new(kind, code, malformed.to_string())).map(Body::new);
    *response.status_mut() = wire::server::status(malformed);
    response
}

/// A router as the one who answers.
#[derive(Debug, Clone)]
struct Answers(Router);

impl Service<Request<Body>> for Answers {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = MapOk<RouteFuture<Infallible>, fn(axum::response::Response) -> Response<Body>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut request = request.map(axum::body::Body::new);
        let peer = request
            .extensions()
            .get::<Connection>()
            .map(|connection| connection.peer);
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        self.0
            .call(request)
            .map_ok(|response| response.map(Body::new))
    }
}
