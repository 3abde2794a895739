//! HTTP/2, by hyper.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use super::{Answers, Connection, Settings};
use crate::body::Body;
use crate::stream::Stream;

/// Streams that a client may reset before they were looked at: more is an attack (CVE-2023-44487).
const RESETS: usize = 20;
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) async fn serve(
    stream: Stream,
    connection: Connection,
    answers: impl Answers,
    settings: &Settings,
    drain: CancellationToken,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::http2);
        request.extensions_mut().insert(connection.clone());
        let mut answers = answers.clone();
        async move {
            let response: Response<Body> = match answers.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.head_limit).unwrap_or(u32::MAX))
        .max_concurrent_streams(settings.streams)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .keep_alive_interval(settings.idle_timeout)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    let running = builder.serve_connection(TokioIo::new(stream), service);
    let mut running = std::pin::pin!(running);
    tokio::select! {
        // The peer closed, or broke the protocol; either is its own affair.
        _ = running.as_mut() => return,
        () = drain.cancelled() => running.as_mut().graceful_shutdown(),
    }
    let _ = running.await;
}
