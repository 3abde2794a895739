//! HTTP/2, by hyper, within limits.
//!
//! What hyper counts is set here: streams, the size of header sections (and with it the
//! CONTINUATION frames that a section may take, CVE-2024-27316), streams that are reset before
//! they were looked at (CVE-2023-44487), and pings that nobody answers. What it does not count is
//! beside: frames that ask for work and bring none ([`meter`]), requests that are given up as soon
//! as they are made, answers that nobody takes, and connections that nobody uses ([`streams`]).

mod meter;
mod streams;
mod websocket;

use std::convert::Infallible;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, COOKIE, HOST};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use self::meter::Metered;
use self::streams::{Outgoing, Streams};
use self::websocket::Asked;
use super::{Answers, Settings};
use crate::body::Body;
use crate::http1::{Malformed, is_host, rooted};
use crate::stream::Stream;

/// Streams that a client may reset before they were looked at: more is an attack (CVE-2023-44487).
const RESETS: usize = 20;
/// Streams that may be reset because the client broke the protocol on them.
const ERRORS: usize = 20;
/// Bytes that a client may send ahead, on a stream and on all of them together.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of an answer that wait for the client to make room, on a stream.
const SEND_BUFFER: usize = 256 << 10;
/// The smallest maximum that the protocol allows (RFC 9113, section 6.5.2): larger frames only
/// take more memory.
const FRAME: u32 = 16 << 10;
/// Bytes of the table of header fields, which each connection keeps.
const TABLE: u32 = 4096;

/// How long a client may take to hear that the server ends.
const PARTING: Duration = Duration::from_secs(1);

/// A protocol engine that takes no more than the settings allow.
fn within_limits(streams: &Streams, settings: &Settings) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams.clone());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.head_limit).unwrap_or(u32::MAX))
        .max_concurrent_streams(settings.streams)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(ERRORS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_frame_size(FRAME)
        .header_table_size(TABLE)
        .enable_connect_protocol()
        .keep_alive_interval(settings.ping_interval)
        .keep_alive_timeout(settings.ping_timeout);
    builder
}

/// Why it is not clear whom a request is for: as in HTTP/1.1, there is one host, without a user, and it
/// is one.
fn unclear_host<B>(request: &Request<B>) -> Option<Malformed> {
    let authority = request.uri().authority();
    let named = authority.is_none_or(|authority| is_host(authority.as_str().as_bytes()));
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().is_none_or(|host| is_host(host.as_bytes()));
    // RFC 9113, section 8.3.1.
    let same = match (authority, request.headers().get(HOST)) {
        (Some(authority), Some(host)) => without_port(authority.as_str().as_bytes())
            .eq_ignore_ascii_case(without_port(host.as_bytes())),
        _ => true,
    };
    let clear = named && host && same && hosts.next().is_none();
    (!clear).then_some(Malformed::Syntax("the host is none, or there are two"))
}

/// A host without the port that goes without saying.
fn without_port(host: &[u8]) -> &[u8] {
    let plain = host.strip_suffix(b":443");
    plain.or_else(|| host.strip_suffix(b":80")).unwrap_or(host)
}

/// Clients cut cookies into several fields, as HTTP/2 remembers them better (RFC 9113, section 8.2.3): for
/// everybody else there is one.
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let (Some(first), Some(_)) = (cookies.next(), cookies.next()) else {
        return;
    };
    let mut all = first.as_bytes().to_vec();
    for more in headers.get_all(COOKIE).iter().skip(1) {
        all.extend_from_slice(b"; ");
        all.extend_from_slice(more.as_bytes());
    }
    // Valid as its parts were.
    if let Ok(mut joined) = HeaderValue::from_bytes(&all) {
        joined.set_sensitive(first.is_sensitive());
        headers.insert(COOKIE, joined);
    }
}

/// Gives a target that has only a query its path. Others are left as they are.
fn root(uri: &mut Uri) {
    let bare = uri
        .path_and_query()
        .filter(|target| target.as_str().starts_with('?'));
    if bare.is_some() {
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = rooted(parts.path_and_query.as_ref());
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

pub(super) async fn serve(
    stream: Stream,
    answers: impl Answers + 'static,
    settings: &Settings,
    drain: CancellationToken,
) {
    let streams = Streams::new(settings.write_timeout);
    let (beside, idle) = (streams.clone(), settings.tunnel_timeout);
    let refuse = settings.refuse.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        root(request.uri_mut());
        let refused = unclear_host(&request).map(&*refuse);
        join_cookies(request.headers_mut());
        let websocket = Asked::of(&mut request);
        let request = match &websocket {
            // What comes on the stream is not the body of the request.
            Some(_) => request.map(|_| Body::empty()),
            None => request.map(Body::http2),
        };
        let (mut answers, beside) = (answers.clone(), beside.clone());
        async move {
            if let Some(refused) = refused {
                return Ok::<_, Infallible>(refused.map(Outgoing::new));
            }
            let mut response: Response<Body> = match answers.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let tunnel = websocket.and_then(|asked| asked.answer(&mut response, idle));
            if let Some(tunnel) = tunnel {
                beside.run(tunnel);
            }
            if response.status() == StatusCode::NO_CONTENT {
                // There is nothing to be long (RFC 9110, section 8.6).
                response.headers_mut().remove(CONTENT_LENGTH);
            }
            Ok(response.map(Outgoing::new))
        }
    });
    let builder = within_limits(&streams, settings);
    let running = builder.serve_connection(TokioIo::new(Metered::new(stream)), service);
    let mut running = std::pin::pin!(running);
    tokio::select! {
        // The peer closed, or broke the protocol; either is its own affair.
        _ = running.as_mut() => return,
        () = streams.abused() => {
            tracing::debug!("a client gives up its requests as soon as it has made them");
            return;
        }
        () = streams.idle(settings.idle_timeout) => {
            running.as_mut().graceful_shutdown();
            // What the client has not taken by then it will not take.
            let _ = tokio::time::timeout(settings.write_timeout, running).await;
            return;
        }
        () = drain.cancelled() => running.as_mut().graceful_shutdown(),
    }
    // A client that is alive says at once that it has heard, and asks for nothing more. Another one
    // is left when there is nothing of it to finish.
    let left = async {
        tokio::time::sleep(PARTING).await;
        streams.idle(Duration::ZERO).await;
    };
    tokio::select! {
        _ = running.as_mut() => {}
        () = left => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_one_field() {
        let mut headers = HeaderMap::new();
        join_cookies(&mut headers);
        assert!(headers.is_empty());
        for (cookies, joined) in [("a=1", "a=1"), ("b=2; c=3", "a=1; b=2; c=3")] {
            headers.append(COOKIE, HeaderValue::from_static(cookies));
            join_cookies(&mut headers);
            let all: Vec<&HeaderValue> = headers.get_all(COOKIE).iter().collect();
            assert_eq!(all, [joined]);
        }
    }

    #[test]
    fn whom_a_request_is_for_is_said_once_or_alike() {
        for (authority, host, clear) in [
            ("a.example", None, true),
            ("a.example", Some("A.example"), true),
            ("a.example", Some("a.example:443"), true),
            ("a.example", Some("b.example"), false),
            ("a.example:8080", Some("a.example"), false),
            ("a.example:evil", None, false),
            ("a@b.example", None, false),
        ] {
            let uri: Uri = format!("https://{authority}/").parse().expect("a target");
            let mut request = Request::new(());
            *request.uri_mut() = uri;
            if let Some(host) = host {
                let host = HeaderValue::from_static(host);
                request.headers_mut().insert(HOST, host);
            }
            let found = unclear_host(&request).is_none();
            assert_eq!(found, clear, "{authority} {host:?}");
        }
    }
}
