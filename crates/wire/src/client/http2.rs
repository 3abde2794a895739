//! Exchanges over HTTP/2: many on one connection, which hyper drives.

use http::header::{CONNECTION, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, Request, Response, Uri, Version};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::{Connect, ExchangeError, Shared};
use crate::body::Body;
use crate::http1::rooted;

/// The connection of one thread to one server, made when it is needed.
#[derive(Default)]
pub(super) struct Sender(tokio::sync::Mutex<Option<SendRequest<Body>>>);

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender")
    }
}

impl Sender {
    pub(super) async fn exchange(
        &self,
        of: &Shared,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, ExchangeError> {
        let mut sender = self.sender(&*of.connect).await?;
        address(&mut request, &of.settings.scheme)?;
        strip(request.headers_mut());
        *request.version_mut() = Version::HTTP_2;
        sender.ready().await.map_err(ExchangeError::Http2)?;
        let response = sender
            .send_request(request)
            .await
            .map_err(ExchangeError::Http2)?;
        Ok(response.map(|body| Body::http2(body).within(of.settings.silence)))
    }

    /// One connects; the others wait for it.
    async fn sender(&self, connect: &dyn Connect) -> Result<SendRequest<Body>, ExchangeError> {
        let mut kept = self.0.lock().await;
        if let Some(sender) = kept.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let stream = connect.connect().await.map_err(ExchangeError::Connect)?;
        let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(std::time::Duration::from_secs(10))
            .keep_alive_timeout(std::time::Duration::from_secs(5))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ExchangeError::Http2)?;
        #[expect(clippy::disallowed_methods, reason = "ends with the last sender")]
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP/2 connection broke");
            }
        });
        *kept = Some(sender.clone());
        Ok(sender)
    }
}

/// Names in the target whom the request is for, which is nowhere else in HTTP/2 (RFC 9113, section 8.3.1):
/// what `Host` says, which who sends a request on has set.
fn address(request: &mut Request<Body>, scheme: &Scheme) -> Result<(), ExchangeError> {
    // No fault of the server.
    let bad = || ExchangeError::Request("its host is none".into());
    let Some(host) = request.headers().get(HOST) else {
        return Ok(());
    };
    let authority = Authority::try_from(host.as_bytes()).map_err(|_| bad())?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.authority = Some(authority);
    parts.scheme = Some(scheme.clone());
    parts.path_and_query = rooted(parts.path_and_query.as_ref());
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| bad())?;
    Ok(())
}

/// HTTP/2 has no fields that concern one connection only (RFC 9113, section 8.2.2).
fn strip(headers: &mut HeaderMap) {
    let trailers = headers
        .get(TE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    let keep_alive = HeaderName::from_static("keep-alive");
    let proxy = HeaderName::from_static("proxy-connection");
    for name in [
        CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
        HOST,
        keep_alive,
        proxy,
    ] {
        headers.remove(name);
    }
    if !trailers {
        headers.remove(TE);
    }
}
