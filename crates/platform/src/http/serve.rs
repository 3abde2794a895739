//! Listeners: accepting, limits of connections, and draining.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::HttpSettings;
use crate::tasks::Shutdown;

/// After which time of silence a kept connection is closed.
const IDLE_HTTP2: Duration = Duration::from_secs(60);
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
    let builder = Arc::new(builder(&settings));
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
        let connection = connection(
            stream,
            peer,
            router.clone(),
            builder.clone(),
            settings.header_timeout,
            shutdown.clone(),
        );
        connections.spawn(async move {
            connection.await;
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

fn builder(settings: &HttpSettings) -> auto::Builder<TokioExecutor> {
    // What is larger than the limit, but not this large, is refused with a problem.
    let header_buffer = settings.header_limit.saturating_mul(2).max(8192);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(header_buffer)
        .pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(header_buffer).unwrap_or(u32::MAX))
        .max_concurrent_streams(250)
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(IDLE_HTTP2)
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    builder: Arc<auto::Builder<TokioExecutor>>,
    header_timeout: Duration,
    shutdown: Shutdown,
) {
    let asked = Arc::new(AtomicBool::new(false));
    let first = asked.clone();
    let service = tower::service_fn(move |request: Request<Incoming>| {
        first.store(true, Ordering::Relaxed);
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        router.clone().call(request)
    });
    let service = TowerToHyperService::new(service);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // The peer closed, or broke the protocol; either is its own affair.
        _ = connection.as_mut() => return,
        () = silence(&asked, header_timeout) => return,
        () = shutdown.requested() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Ends when a connection has lasted for `header_timeout` without a request. The parser's own
/// timeout begins only once it knows which protocol is spoken, and the peer need never tell.
async fn silence(asked: &AtomicBool, header_timeout: Duration) {
    tokio::time::sleep(header_timeout).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending().await
    }
}
