//! WebSocket over HTTP/2 (RFC 8441): a stream that is opened by CONNECT with a `:protocol` becomes
//! the request that HTTP/1.1 would have brought, and its answer the other way round. Nothing behind
//! can tell which it was.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use ring::rand::{SecureRandom, SystemRandom};

use crate::body::Body;
use crate::link::Link;
use crate::stream::Stream;
use crate::tunnel::{self, Upgrade, Upgraded};

/// What a server adds to the key before it digests it (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A stream that would become a WebSocket.
pub(super) struct Asked {
    upgrading: OnUpgrade,
    accept: HeaderValue,
}

impl Asked {
    /// Makes of `request` what HTTP/1.1 would have brought; `None` if it asks for something else.
    pub(super) fn of<B>(request: &mut Request<B>) -> Option<Self> {
        let protocol = request.extensions_mut().remove::<Protocol>()?;
        if *request.method() != Method::CONNECT || protocol.as_str() != "websocket" {
            return None;
        }
        let mut nonce = [0; 16];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let key = STANDARD.encode(nonce);
        let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        digest.update(key.as_bytes());
        digest.update(GUID);
        let accept = HeaderValue::try_from(STANDARD.encode(digest.finish())).ok()?;
        let upgrading = hyper::upgrade::on(&mut *request);
        *request.method_mut() = Method::GET;
        let websocket = HeaderValue::from_static("websocket");
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, websocket.clone());
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::try_from(key).ok()?);
        headers
            .entry(SEC_WEBSOCKET_VERSION)
            .or_insert(HeaderValue::from_static("13"));
        request.extensions_mut().insert(Upgrade(websocket));
        Some(Self { upgrading, accept })
    }

    /// The answer as HTTP/2 has it, and what is to run beside it, if the protocol changes.
    pub(super) fn answer(
        self,
        response: &mut Response<Body>,
        idle: Duration,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let Some(Upgraded(other)) = response.extensions_mut().remove::<Upgraded>() else {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                // Nobody is behind it.
                *response.status_mut() = StatusCode::BAD_GATEWAY;
            }
            return None;
        };
        let headers = response.headers_mut();
        headers.remove(CONNECTION);
        headers.remove(UPGRADE);
        let accepted = headers.remove(SEC_WEBSOCKET_ACCEPT);
        *response.body_mut() = Body::empty();
        if accepted != Some(self.accept) {
            // Whoever said so does not speak WebSocket.
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            return None;
        }
        *response.status_mut() = StatusCode::OK;
        let upgrading = self.upgrading;
        Some(async move {
            if let Ok(upgraded) = upgrading.await {
                let stream = Stream::other(TokioIo::new(upgraded));
                let link = Arc::new(Mutex::new(Link::new(stream)));
                // How it ends is the affair of the two peers.
                let _ = tunnel::join(&link, &other, idle).await;
            }
        })
    }
}
